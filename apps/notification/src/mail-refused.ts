/** The mail server refused the mail for good: trying again would be refused again. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}
