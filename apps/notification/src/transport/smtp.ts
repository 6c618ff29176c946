import { createTransport as createPool } from "nodemailer";
import { failureOf, MailRefused } from "./failure.ts";
import { messageOf } from "./mime.ts";
import type { MailTransport } from "./transport.ts";

const connectionsMax = 4;
const mailsPerConnectionMax = 100;
/** nodemailer's own time-outs are minutes, in which a silent server would hold every worker. */
const connectMsMax = 5_000;
const greetingMsMax = 5_000;
const silenceMsMax = 10_000;
const closeMsMax = 500;

/** Hands each mail to an SMTP server, over a few connections that stay open. */
export function createSmtpTransport({ from, url }: { readonly from: string; readonly url: string }): MailTransport {
  const pool = createPool({
    url,
    pool: true,
    maxConnections: connectionsMax,
    maxMessages: mailsPerConnectionMax,
    connectionTimeout: connectMsMax,
    dnsTimeout: connectMsMax,
    greetingTimeout: greetingMsMax,
    socketTimeout: silenceMsMax,
    socketCloseTimeout: closeMsMax,
  });
  return {
    async send(mail, signal) {
      try {
        await pool.sendMail({ ...messageOf(mail, from), signal });
      } catch (error) {
        throw isFinal(error) ? new MailRefused(failureOf(error), { cause: error }) : error;
      }
    },
    async close() {
      pool.close({ force: true });
    },
  };
}

/** Said of this mail (its addresses or its text) and with a 5xx. A 5xx to the greeting or the login is said of the server's own state. */
function isFinal(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code !== "EENVELOPE" && error.code !== "EMESSAGE") return false;
  const answered = "responseCode" in error && typeof error.responseCode === "number";
  // Without an answer it was nodemailer that found the address unusable.
  return !answered || Number(error.responseCode) >= 500;
}
