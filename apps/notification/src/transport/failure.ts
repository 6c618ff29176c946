import { isOutage } from "@rialto/database";
import { isUnavailable } from "@rialto/rpc";

/** The mail server refused the mail for good: trying again would be refused again. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

/** What is kept of a mail server's words. SMTP bounds a line to 512 bytes (RFC 5321, 4.5.3.1.5) and an answer to no number of lines. */
const answerCharsMax = 1_000;

/**
 * Why a mail was not taken, for the message's last_error, which its reader sees: the mail server's own words, else the kind of the
 * failure. Never the error's text, which names hosts and addresses of ours.
 */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return "not sent";
  if ("response" in error && typeof error.response === "string") return error.response.slice(0, answerCharsMax);
  return "code" in error && typeof error.code === "string" ? `not sent (${error.code})` : "not sent";
}

/**
 * Whether what failed is down or busy, so that the same mail may well be taken later: a service, the database, the mail server or the way to it, a
 * folder that cannot be written now. What else is thrown is a fault of the message or of the code, and comes again with the next try.
 */
export function isPassing(error: unknown): boolean {
  if (isUnavailable(error) || isOutage(error)) return true;
  // Codes of the system and of nodemailer begin with E. ERR_ is Node.js: an argument that is wrong.
  return error instanceof Error && "code" in error && /^E(?!RR_)[A-Z0-9]+$/.test(String(error.code));
}
