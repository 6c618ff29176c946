import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { AuthService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { publish } from "@rialto/events";
import { type Handlers, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { type ConfirmationStore, lockConfirmation, spendConfirmation } from "../one-time-tokens/confirmation-store.ts";
import { endResets } from "../one-time-tokens/reset-store.ts";
import { hashOf, newSecretToken } from "../sessions/tokens.ts";
import { confirmationPublicationOf, publicationOf } from "../user/message.ts";
import { confirmEmail, emailTaken } from "../user/state.ts";
import { lockUser, type UserStore, updateUser } from "../user/store.ts";
import type { Attempts } from "./attempts.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly confirmations: ConfirmationStore;
  readonly attempts: Attempts;
  wakeRelay(): void;
}

/** A request for a mail is answered after this time, whether there is such an account or not: the clock tells nothing either. */
const requestAnswerMs = 150;

/**
 * The RPC handlers that confirm addresses. What is secret is in the mail, and nowhere else, as with a new password:
 *
 *     CreateUser, UpdateUser, RequestEmailConfirmation -> email_confirmation row and event (its id) -> notification asks for the address, sends the mail
 *     to it, and asks at that moment for the token (CreateEmailConfirmationToken; its hash is stored) -> the link -> ConfirmEmail
 *
 * A link is for one address of one account: it ends when the account is to have another.
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
      const answered = sleep(requestAnswerMs, undefined, { signal });
      answered.catch(() => undefined);
      const userId = await app.users.unconfirmedOf(email);
      if ((await app.attempts.mayConfirm(email, clientAddress)) && userId !== undefined) {
        await app.confirmations.request({ userId, email, traceparent });
        app.wakeRelay();
      }
      await answered;
      return {};
    },

    async confirmEmail({ token }, { now, traceparent }) {
      const tokenHash = hashOf(token);
      await sql.begin(async (tx) => {
        const confirmation = await lockConfirmation(tx, tokenHash);
        const user = confirmation && (await lockUser(tx, confirmation.userId));
        if (confirmation === undefined || user === undefined) throw refuse(errors.CONFIRMATION_TOKEN_INVALID);
        const confirmed = confirmEmail(user, confirmation, now);
        if (confirmed === user) return;
        const isNew = confirmed.email !== user.email;
        if (!(await updateUser(tx, confirmed))) throw emailTaken(undefined);
        await spendConfirmation(tx, confirmation, isNew ? user.email : undefined);
        await publish(tx, publicationOf(confirmed, "UPDATED", traceparent));
        if (!isNew) return;
        // The link of a reset may lie in the mailbox of the address that was given up.
        await endResets(tx, user.id);
        const changed = { id: confirmation.id, userId: user.id, time: now };
        await publish(tx, confirmationPublicationOf("EMAIL_CHANGED", changed, traceparent));
      });
      app.wakeRelay();
      return {};
    },

    async getEmailConfirmation({ confirmationId }) {
      const found = await app.confirmations.byId(confirmationId);
      if (found === undefined) throw refuse(errors.CONFIRMATION_TOKEN_INVALID);
      const { userId, email, previousEmail = "" } = found;
      return { userId, email, previousEmail };
    },

    async createEmailConfirmationToken({ confirmationId }) {
      const { token, hash } = newSecretToken();
      const expireTime = await app.confirmations.arm(confirmationId, hash);
      if (expireTime === undefined) throw refuse(errors.CONFIRMATION_TOKEN_INVALID);
      return { token, expireTime: timestampFromDate(expireTime) };
    },
  };
}
