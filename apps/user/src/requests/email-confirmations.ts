import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { sleep } from "@rialto/async";
import type { AuthService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { publish } from "@rialto/events";
import { CallError, type Handlers } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { type ConfirmationStore, lockConfirmation, redeemConfirmation } from "../one-time-tokens/confirmation-store.ts";
import { endResets } from "../one-time-tokens/reset-store.ts";
import { hashOf, newSecretToken } from "../sessions/tokens.ts";
import { confirmationPublicationOf, publicationOf } from "../user/message.ts";
import { confirmEmail, emailTaken } from "../user/state.ts";
import { lockUser, type UserStore, updateUser } from "../user/store.ts";
import type { AttemptLimits } from "./attempt-limits.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly confirmations: ConfirmationStore;
  readonly attempts: AttemptLimits;
  wakeRelay(): void;
}

/**
 * Requests for a mail are answered after this time whether the account exists or not, so that timing does not reveal
 * it.
 */
const requestAnswerMs = 150;

/**
 * The RPC handlers that confirm e-mail addresses. As with password resets, only the mail contains the secret:
 *
 *     CreateUser, UpdateUser, RequestEmailConfirmation -> email_confirmation row and event with its id
 *     -> notification reads the address, and when it sends the mail, requests the token
 *        (CreateEmailConfirmationToken; its hash is stored) -> link -> ConfirmEmail
 *
 * A link is for one address of one account. It ends when another address is entered for the account.
 */
export function emailConfirmations(
  app: Parts,
): Pick<
  Handlers<typeof AuthService>,
  "requestEmailConfirmation" | "confirmEmail" | "getEmailConfirmation" | "createEmailConfirmationToken"
> {
  const { sql } = app.database;
  return {
    async requestEmailConfirmation({ email }, { traceparent, signal, clientAddress }) {
      const answered = sleep(requestAnswerMs, { signal });
      const userId = await app.users.unconfirmedOf(email);
      await app.attempts.confirmationMail(email, clientAddress, async () => {
        if (userId === undefined) return;
        await app.confirmations.request({ userId, email, traceparent });
        app.wakeRelay();
      });
      await answered;
      return {};
    },

    async confirmEmail({ token }, { now, traceparent }) {
      const tokenHash = hashOf(token);
      await sql.begin(async (tx) => {
        const confirmation = await lockConfirmation(tx, tokenHash);
        const user = confirmation && (await lockUser(tx, confirmation.userId));
        if (confirmation === undefined || user === undefined) throw new CallError(errors.CONFIRMATION_TOKEN_INVALID);
        const confirmed = confirmEmail(user, confirmation, now);
        if (confirmed === user) return;
        const isNew = confirmed.email !== user.email;
        if (!(await updateUser(tx, confirmed))) throw emailTaken(undefined);
        await redeemConfirmation(tx, confirmation, isNew ? user.email : undefined);
        await publish(tx, publicationOf(confirmed, "UPDATED", traceparent));
        if (!isNew) return;
        // A reset link may be in the mailbox of the previous address.
        await endResets(tx, user.id);
        const changed = { id: confirmation.id, userId: user.id, time: now };
        await publish(tx, confirmationPublicationOf("EMAIL_CHANGED", changed, traceparent));
      });
      app.wakeRelay();
      return {};
    },

    async getEmailConfirmation({ confirmationId }) {
      const found = await app.confirmations.byId(confirmationId);
      if (found === undefined) throw new CallError(errors.CONFIRMATION_TOKEN_INVALID);
      const { userId, email, previousEmail = "" } = found;
      return { userId, email, previousEmail };
    },

    async createEmailConfirmationToken({ confirmationId }) {
      const { token, hash } = newSecretToken();
      const expireTime = await app.confirmations.issueToken(confirmationId, hash);
      if (expireTime === undefined) throw new CallError(errors.CONFIRMATION_TOKEN_INVALID);
      return { token, expireTime: timestampFromDate(expireTime) };
    },
  };
}
