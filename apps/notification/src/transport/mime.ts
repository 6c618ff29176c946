import type { SendMailOptions } from "nodemailer";
import type { Mail } from "./transport.ts";

/** The mail as nodemailer wants it: a plain-text part and an HTML part of the same, and nothing that it would fetch. */
export function messageOf(mail: Mail, from: string): SendMailOptions {
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
