import type { Config } from "@rialto/service";
import { createFolderTransport } from "./folder.ts";
import { createSmtpTransport } from "./smtp.ts";
import type { MailTransport } from "./transport.ts";

/** A mail server where SMTP_URL names one, else a folder of .eml files. */
export function createTransport({ smtpUrl, mailFrom, mailOutboxDir }: Config): MailTransport {
  if (smtpUrl === undefined) return createFolderTransport({ from: mailFrom, folder: mailOutboxDir });
  return createSmtpTransport({ from: mailFrom, url: smtpUrl });
}
