/** The mail server refused the mail for good: trying again would be refused again. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

/**
 * Why a mail was not taken, for the message's last_error, which its reader sees: the mail server's own words, else the kind of the
 * failure. Never the error's text, which names hosts and addresses of ours.
 */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return "not sent";
  if ("response" in error && typeof error.response === "string") return error.response;
  return "code" in error && typeof error.code === "string" ? `not sent (${error.code})` : "not sent";
}
