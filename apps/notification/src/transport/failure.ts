import { isOutage } from "@rialto/database";
import { isUnavailable } from "@rialto/rpc";

/** The mail server rejected the mail permanently: a retry would be rejected again. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

/**
 * The stored part of the mail server's answer. SMTP limits a line to 512 bytes (RFC 5321, 4.5.3.1.5), but not the
 * number of lines.
 */
const answerCharsMax = 1_000;

/**
 * Returns the text for last_error, which customers can read: the mail server's answer, or else the error code. Never
 * the error message, which contains internal host names and addresses.
 */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return "not sent";
  if ("response" in error && typeof error.response === "string") return error.response.slice(0, answerCharsMax);
  return "code" in error && typeof error.code === "string" ? `not sent (${error.code})` : "not sent";
}

/**
 * Whether the failure is an outage, so that the same mail can succeed later: of a service, the database, the mail
 * server, the network, or the file system. Any other error is a defect of the message or the code.
 */
export function isPassing(error: unknown): boolean {
  if (isUnavailable(error) || isOutage(error)) return true;
  // System and nodemailer error codes start with E. Codes that start with ERR_ are Node.js's own, such as invalid
  // arguments.
  return error instanceof Error && "code" in error && /^E(?!RR_)[A-Z0-9]+$/.test(String(error.code));
}
