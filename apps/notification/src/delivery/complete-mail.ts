import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import { backgroundContext, type Client, reasonOf } from "@rialto/rpc";
import type { Content, Notification } from "../notification/state.ts";
import { confirmationMail, type EmailLink, passwordResetMail, welcomeMail } from "../templates/account-mail.ts";
import { MailRefused } from "../transport/failure.ts";

/** The methods of the user service that create tokens for links. */
export type TokenMaker = Pick<Client<typeof AuthService>, "createPasswordResetToken" | "createEmailConfirmationToken">;

/**
 * Renders a mail that contains a link when it is sent. The user service creates the token at that moment and stores its
 * hash; this service stores neither. A mail that is sent again gets a new link, and the old link stops working. The
 * mail is rendered from its template again; the link is never inserted into stored text. Mails without a link are
 * returned as stored. Throws MailRefused if the user service does not issue a token any more.
 */
export function completeMail(app: {
  readonly calls: { readonly auth: TokenMaker };
  readonly config: { readonly publicUrl: string };
}): (notification: Notification, signal: AbortSignal) => Promise<Content> {
  /** The token is in the fragment, which browsers send to no server and which therefore appears in no access log. */
  const linkOf = (page: string, { token, expireTime }: CreatedToken): EmailLink => ({
    link: `${app.config.publicUrl}/${page}#${token}`,
    until: expireTime === undefined ? "" : formatTime(timestampDate(expireTime)),
  });

  return async ({ content, kind, resetId, confirmationId }, signal) => {
    if (resetId !== undefined) {
      const token = await app.calls.auth
        .createPasswordResetToken({ resetId }, backgroundContext({ signal }))
        .catch(undefinedIf("RESET_TOKEN_INVALID"));
      if (token === undefined) throw new MailRefused("the reset was used, or has ended");
      return passwordResetMail(linkOf("reset-password", token));
    }
    if (confirmationId === undefined || kind === "EMAIL_CHANGED") return content;
    const token = await app.calls.auth
      .createEmailConfirmationToken({ confirmationId }, backgroundContext({ signal }))
      .catch(undefinedIf("CONFIRMATION_TOKEN_INVALID"));
    // A welcome mail is sent without a link if the address was confirmed in another way.
    if (token === undefined && kind === "WELCOME") return content;
    if (token === undefined) throw new MailRefused("the confirmation was used, or has ended");
    const link = linkOf("confirm-email", token);
    return kind === "WELCOME" ? welcomeMail(link) : confirmationMail(link);
  };
}

type CreatedToken = Awaited<ReturnType<TokenMaker["createPasswordResetToken" | "createEmailConfirmationToken"]>>;

/** Handles an error with this reason as "no token". */
function undefinedIf(reason: string): (error: unknown) => undefined {
  return (error) => {
    if (reasonOf(error) !== reason) throw error;
    return undefined;
  };
}

/** Without Intl, which takes 35 ms to make the first format of dates: every start would wait for it. */
const months = "January February March April May June July August September October November December".split(" ");

/** "November 27, 12:30 UTC" */
function formatTime(time: Date): string {
  return `${months[time.getUTCMonth()]} ${time.getUTCDate()}, ${time.toISOString().slice(11, 16)} UTC`;
}
