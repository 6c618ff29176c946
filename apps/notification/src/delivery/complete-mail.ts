import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import { type Client, reasonOf, workOrigin } from "@rialto/rpc";
import type { Content, Notification } from "../notification/state.ts";
import { confirmationMail, type MailedLink, passwordResetMail, welcomeMail } from "../templates/account-mail.ts";
import { MailRefused } from "../transport/failure.ts";

/** Makes the tokens of links. */
export type TokenMaker = Pick<Client<typeof AuthService>, "createPasswordResetToken" | "createEmailConfirmationToken">;

/**
 * Makes a mail that has a link at the moment it is sent: the user service makes the token then, and keeps its hash; this service keeps nothing. So a
 * mail that is sent once more has a new link, and the older one is good for nothing. The mail is made of its parts, and nothing is filled into text
 * that was stored. Other mails are complete as they are. Throws MailRefused where the link would be good for nothing.
 */
export function completeMail(app: {
  readonly calls: { readonly auth: TokenMaker };
  readonly config: { readonly publicUrl: string };
}): (notification: Notification, signal: AbortSignal) => Promise<Content> {
  /** Behind a #, which no server and no log of one gets to see. */
  const linkOf = (page: string, { token, expireTime }: Made): MailedLink => ({
    link: `${app.config.publicUrl}/${page}#${token}`,
    until: expireTime === undefined ? "" : momentOf(timestampDate(expireTime)),
  });

  return async ({ content, kind, resetId, confirmationId }, signal) => {
    if (resetId !== undefined) {
      const made = await app.calls.auth
        .createPasswordResetToken({ resetId }, workOrigin({ signal }))
        .catch(unless("RESET_TOKEN_INVALID"));
      if (made === undefined) throw new MailRefused("the reset was used, or has ended");
      return passwordResetMail(linkOf("reset-password", made));
    }
    if (confirmationId === undefined || kind === "EMAIL_CHANGED") return content;
    const made = await app.calls.auth
      .createEmailConfirmationToken({ confirmationId }, workOrigin({ signal }))
      .catch(unless("CONFIRMATION_TOKEN_INVALID"));
    // A welcome is one without a link, too: the address may have been confirmed in another way.
    if (made === undefined && kind === "WELCOME") return content;
    if (made === undefined) throw new MailRefused("the confirmation was used, or has ended");
    const link = linkOf("confirm-email", made);
    return kind === "WELCOME" ? welcomeMail(link) : confirmationMail(link);
  };
}

type Made = Awaited<ReturnType<TokenMaker["createPasswordResetToken" | "createEmailConfirmationToken"]>>;

/** Takes this refusal for the answer that there is no token to be had. */
function unless(reason: string): (error: unknown) => undefined {
  return (error) => {
    if (reasonOf(error) !== reason) throw error;
    return undefined;
  };
}

/** "27 November, 12:30 UTC" */
function momentOf(time: Date): string {
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", timeZone: "UTC" }).format(time);
  return `${day}, ${time.toISOString().slice(11, 16)} UTC`;
}
