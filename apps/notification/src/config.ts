import { join } from "node:path";
import { baseUrl, defaultPorts, mailbox, urlOf, variable } from "@rialto/service/config";

/** What the notification service reads from the environment, beside what every process does. */
export const notificationVariables = {
  smtpUrl: variable("SMTP_URL", urlOf("smtp:", "smtps:"), {
    without: "`.eml` files in the data folder",
    refuse: (url) => (url === undefined ? "must be set: the local mail outbox is not for production" : undefined),
  }),
  mailFrom: variable("RIALTO_MAIL_FROM", mailbox, { default: "Rialto <shop@rialto.example>" }),
  publicUrl: variable("RIALTO_PUBLIC_URL", baseUrl, {
    defaultIn: ({ port }) => `http://localhost:${port ?? defaultPorts.gateway}`,
    without: `\`http://localhost:${defaultPorts.gateway}\`, or the port of \`PORT\``,
    refuse(url, given) {
      if (given("RIALTO_PUBLIC_URL") === undefined) return "must be set: links in mails begin with it";
      return isSafe(url)
        ? undefined
        : "must begin with https://: the links in mails let their reader set a new password";
    },
  }),
};

/** Returns the folder of the .eml files that are written without SMTP_URL. */
export function mailFolder({ dataDir }: { readonly dataDir: string }): string {
  return join(dataDir, "mail");
}

/** Cleartext only where nothing leaves the machine: a trial of the production settings. */
function isSafe(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}
