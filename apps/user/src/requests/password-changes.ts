import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sleep } from "@rialto/async";
import type { AuthService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { publish } from "@rialto/events";
import { type CallContext, CallError, callErrors, type Handlers } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { endAddressChange } from "../one-time-tokens/confirmation-store.ts";
import { consumeReset, endResets, type ResetStore } from "../one-time-tokens/reset-store.ts";
import type { Passwords } from "../passwords/passwords.ts";
import { endAllSessions } from "../sessions/store.ts";
import { hashOf, newSecretToken } from "../sessions/tokens.ts";
import { passwordPublicationOf } from "../user/message.ts";
import { type Credentials, replacePassword, setPasswordByMail, type UserStore } from "../user/store.ts";
import type { AttemptLimits } from "./attempt-limits.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly resets: ResetStore;
  readonly passwords: Passwords;
  readonly attempts: AttemptLimits;
  wakeRelay(): void;
}

/**
 * Requests for a mail are answered after this time whether the account exists or not, so that timing does not reveal
 * it.
 */
const resetAnswerMs = 150;

/**
 * The RPC handlers that change a password. For a reset by mail, only the mail contains the secret:
 *
 *     RequestPasswordReset -> password_reset row and event with its id
 *     -> notification sends the mail, and for it requests the token
 *        (CreatePasswordResetToken; its hash is stored) -> link -> ResetPassword redeems it and ends all sessions
 *
 * A link is for the owner of the mailbox at the time of the request. It therefore ends, sent or not, when the account's
 * address or password changes or the account is disabled. A pending change of address ends with the old password as
 * well, because someone who knew that password may have requested it.
 */
export function passwordChanges(
  app: Parts,
): Pick<
  Handlers<typeof AuthService>,
  "changePassword" | "requestPasswordReset" | "resetPassword" | "createPasswordResetToken"
> {
  const { sql } = app.database;
  return {
    async changePassword({ currentPassword, newPassword }, ctx) {
      const { caller, now, traceparent } = ctx;
      const found = caller.kind === "user" ? await app.users.credentialsById(caller.userId) : undefined;
      if (caller.kind !== "user" || found === undefined) throw new CallError(callErrors.CALLER_REQUIRED);
      await requirePassword(app, found, currentPassword, ctx);
      const passwordHash = await app.passwords.hash(newPassword, "password-change", ctx);
      const { userId, sessionId: except } = caller;
      await sql.begin(async (tx) => {
        // Fails if another change came first: a caller who knows only the older password must not undo it.
        if (!(await replacePassword(tx, userId, { from: found.passwordHash, to: passwordHash, now })))
          throw new CallError(errors.CREDENTIALS_INVALID);
        await endResets(tx, userId);
        await endAddressChange(tx, userId);
        await publish(tx, passwordPublicationOf(userId, now, traceparent));
        await endAllSessions(tx, { userId, reason: "PASSWORD_CHANGED", except });
      });
      app.wakeRelay();
      return {};
    },

    async requestPasswordReset({ email }, { traceparent, signal, clientAddress }) {
      const answered = sleep(resetAnswerMs, { signal });
      const found = await app.users.credentialsOf(email);
      await app.attempts.resetMail(email, clientAddress, async () => {
        if (found === undefined || found.user.disableTime !== undefined) return;
        await app.resets.request({ userId: found.user.id, traceparent });
        app.wakeRelay();
      });
      await answered;
      return {};
    },

    async createPasswordResetToken({ resetId }) {
      const { token, hash } = newSecretToken();
      const expireTime = await app.resets.issueToken(resetId, hash);
      if (expireTime === undefined) throw new CallError(errors.RESET_TOKEN_INVALID);
      return { token, expireTime: timestampFromDate(expireTime) };
    },

    async resetPassword({ token, newPassword }, ctx) {
      const { now, traceparent } = ctx;
      const tokenHash = hashOf(token);
      // Checked before the expensive part. Between concurrent requests, only the update decides.
      if (!(await app.resets.isValid(tokenHash))) throw new CallError(errors.RESET_TOKEN_INVALID);
      const passwordHash = await app.passwords.hash(newPassword, "password-change", ctx);
      await sql.begin(async (tx) => {
        const userId = await consumeReset(tx, tokenHash);
        if (userId === undefined) throw new CallError(errors.RESET_TOKEN_INVALID);
        await setPasswordByMail(tx, userId, passwordHash, now);
        await endAddressChange(tx, userId);
        await publish(tx, passwordPublicationOf(userId, now, traceparent));
        await endAllSessions(tx, { userId, reason: "PASSWORD_CHANGED" });
      });
      app.wakeRelay();
      return {};
    },
  };
}

/**
 * Requires the current password of an account from its owner, because a session can be stolen. Counts as a login
 * attempt and fails like one, with CREDENTIALS_INVALID or TOO_MANY_ATTEMPTS.
 */
export async function requirePassword(
  app: { readonly attempts: AttemptLimits; readonly passwords: Passwords },
  { user, passwordHash }: Credentials,
  given: string,
  ctx: Pick<CallContext, "clientAddress" | "signal">,
): Promise<void> {
  await app.attempts.attempt(user.email, ctx.clientAddress, async () => {
    if (!(await app.passwords.verify(given, passwordHash, "password-change", ctx)))
      throw new CallError(errors.CREDENTIALS_INVALID);
  });
}
