import type { SendMailOptions } from "nodemailer";
import type { Content, Recipient } from "../notification/state.ts";

/** A mail that is ready to be sent. */
export interface Mail extends Content {
  /** The file name in the folder of .eml files. The same mail always has the same name. */
  readonly name: string;
  readonly messageId: string;
  readonly to: Recipient;
}

/** Sends mail: over SMTP, or to a folder of .eml files. */
export interface MailTransport {
  /**
   * Resolves once the mail was accepted. Throws MailRefused if it was rejected permanently, any other error if a retry
   * may succeed.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * The mail as nodemailer expects it, with a text part and an HTML part. nodemailer may fetch neither files nor URLs.
 */
export function mimeMessage(mail: Mail, from: string): SendMailOptions {
  return {
    from,
    to: mail.to,
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    messageId: mail.messageId,
    headers: { "Auto-Submitted": "auto-generated" },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
