import { createTransport as createPool } from "nodemailer";
import { createMailComposer } from "./compose.ts";
import { failureOf, MailRefused } from "./failure.ts";
import type { MailTransport } from "./transport.ts";

const connectionsMax = 4;
const mailsPerConnectionMax = 100;
/** nodemailer's own timeouts are minutes, during which an unresponsive server would block every worker. */
const connectMsMax = 5_000;
const greetingMsMax = 5_000;
const silenceMsMax = 10_000;
const closeMsMax = 500;

/** Sends each mail to an SMTP server over a small connection pool. */
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
  const compose = createMailComposer(from);
  return {
    async send(mail, signal) {
      const { message, envelope } = compose(mail);
      try {
        await pool.sendMail({ raw: message, envelope: { from: envelope.from, to: [...envelope.to] }, signal });
      } catch (error) {
        throw isFinal(error) ? new MailRefused(failureOf(error), { cause: error }) : error;
      }
    },
    async close() {
      pool.close({ force: true });
    },
  };
}

/**
 * Whether the error is permanent: a 5xx answer about this mail, its addresses or its text. A 5xx answer to the greeting
 * or the login is about the server's own state.
 */
function isFinal(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error)) return false;
  if (error.code !== "EENVELOPE" && error.code !== "EMESSAGE") return false;
  const answered = "responseCode" in error && typeof error.responseCode === "number";
  // Without an answer, nodemailer itself rejected the address.
  return !answered || Number(error.responseCode) >= 500;
}
