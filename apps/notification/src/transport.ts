import type { Config } from "@rialto/service";
import { createFolderTransport } from "./folder-transport.ts";
import type { Content, Recipient } from "./notification.ts";
import { createSmtpTransport } from "./smtp-transport.ts";

/** A mail that is ready to go. */
export interface Mail extends Content {
  /** The name of the file that it becomes where there is no mail server: the same mail, the same name. */
  readonly name: string;
  readonly messageId: string;
  readonly to: Recipient;
}

/** The road that mail takes out of the house. */
export interface MailTransport {
  /** Resolves when the mail was taken over. Throws MailRefused where it never will be, anything else where it may be later. */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A mail server where SMTP_URL names one, else a folder of .eml files. */
export function createTransport({ smtpUrl, mailFrom, mailOutboxDir }: Config): MailTransport {
  if (smtpUrl === undefined) return createFolderTransport({ from: mailFrom, folder: mailOutboxDir });
  return createSmtpTransport({ from: mailFrom, url: smtpUrl });
}
