import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { publish } from "@rialto/events";
import { callErrors, type Handlers, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { endAddressChange } from "../one-time-tokens/confirmation-store.ts";
import { endResets, type ResetStore, useReset } from "../one-time-tokens/reset-store.ts";
import type { Passwords } from "../passwords/passwords.ts";
import { endAllSessions } from "../sessions/store.ts";
import { hashOf, newSecretToken } from "../sessions/tokens.ts";
import { passwordPublicationOf } from "../user/message.ts";
import { replacePassword, setPasswordByMail, type UserStore } from "../user/store.ts";
import type { Attempts } from "./attempts.ts";
import { requirePassword } from "./current-password.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly resets: ResetStore;
  readonly passwords: Passwords;
  readonly attempts: Attempts;
  wakeRelay(): void;
}

/** A request for a mail is answered after this time, whether there is such an account or not: the clock tells nothing either. */
const resetAnswerMs = 150;

/**
 * The RPC handlers that change a password. By mail it goes like this; what is secret is in the mail, and nowhere else:
 *
 *     RequestPasswordReset -> password_reset row and event (the reset's id) -> notification sends the mail, and asks at that moment for the
 *     token (CreatePasswordResetToken; its hash is stored) -> the link -> ResetPassword spends it, and ends every session
 *
 * A link is for whoever had the mailbox when it was asked for. So it ends, sent or not, when the account gets another address or another
 * password, or is disabled. A change of address that waits ends with the password, too: who knew the old one may have asked for it.
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
      if (caller.kind !== "user" || found === undefined) throw refuse(callErrors.CALLER_REQUIRED);
      await requirePassword(app, found, currentPassword, ctx);
      const passwordHash = await app.passwords.hash(newPassword, "password-change", ctx);
      const { userId, sessionId: butFor } = caller;
      await sql.begin(async (tx) => {
        // Another change may have come first: who has the password before that one must not undo it.
        if (!(await replacePassword(tx, userId, { from: found.passwordHash, to: passwordHash, now })))
          throw refuse(errors.CREDENTIALS_INVALID);
        await endResets(tx, userId);
        await endAddressChange(tx, userId);
        await publish(tx, passwordPublicationOf(userId, now, traceparent));
        await endAllSessions(tx, { userId, reason: "PASSWORD_CHANGED", butFor });
      });
      app.wakeRelay();
      return {};
    },

    async requestPasswordReset({ email }, { traceparent, signal, clientAddress }) {
      const answered = sleep(resetAnswerMs, undefined, { signal });
      answered.catch(() => undefined);
      const found = await app.users.credentialsOf(email);
      const mayAsk = await app.attempts.mayMail(email, clientAddress);
      if (mayAsk && found !== undefined && found.user.disableTime === undefined) {
        await app.resets.request({ userId: found.user.id, traceparent });
        app.wakeRelay();
      }
      await answered;
      return {};
    },

    async createPasswordResetToken({ resetId }) {
      const { token, hash } = newSecretToken();
      const expireTime = await app.resets.arm(resetId, hash);
      if (expireTime === undefined) throw refuse(errors.RESET_TOKEN_INVALID);
      return { token, expireTime: timestampFromDate(expireTime) };
    },

    async resetPassword({ token, newPassword }, ctx) {
      const { now, traceparent } = ctx;
      const tokenHash = hashOf(token);
      // Looked at before the expensive part; the update alone decides between two who come at once.
      if (!(await app.resets.isGood(tokenHash))) throw refuse(errors.RESET_TOKEN_INVALID);
      const passwordHash = await app.passwords.hash(newPassword, "password-change", ctx);
      await sql.begin(async (tx) => {
        const userId = await useReset(tx, tokenHash);
        if (userId === undefined) throw refuse(errors.RESET_TOKEN_INVALID);
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
