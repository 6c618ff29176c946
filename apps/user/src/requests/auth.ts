import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type AuthService, RevocationSchema } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { accessTokenSecondsMax, CallError, callErrors, type Handlers, messageSize, page } from "@rialto/rpc";
import { validate as isUuid, v7 as uuidv7 } from "uuid";
import { errors } from "../errors.ts";
import type { ConfirmationStore } from "../one-time-tokens/confirmation-store.ts";
import type { ResetStore } from "../one-time-tokens/reset-store.ts";
import type { Passwords } from "../passwords/passwords.ts";
import type { RefreshTokens } from "../sessions/refresh-tokens.ts";
import { endAllSessions, type SessionHolder, type SessionStore } from "../sessions/store.ts";
import { type AccessTokens, hashOf } from "../sessions/tokens.ts";
import { messageOf } from "../user/message.ts";
import type { User } from "../user/state.ts";
import type { UserStore } from "../user/store.ts";
import type { AttemptLimits } from "./attempt-limits.ts";
import { emailConfirmations } from "./email-confirmations.ts";
import { passwordChanges } from "./password-changes.ts";

interface Parts {
  readonly database: Pick<Database, "sql">;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly resets: ResetStore;
  readonly confirmations: ConfirmationStore;
  readonly passwords: Passwords;
  readonly attempts: AttemptLimits;
  readonly accessTokens: AccessTokens;
  /** Whether gateways use gateway tokens instead of passing access tokens on. */
  useGatewayTokens(): boolean;
  readonly refreshTokens: RefreshTokens;
  wakeRelay(): void;
}

/** How long an ended session is listed: the lifetime of its access tokens, and a margin for clock skew. */
const endedMsMax = (accessTokenSecondsMax + 60) * 1000;
/** Ended sessions per page. */
const endedRowsMax = 2_000;
const revocationBytes = messageSize(RevocationSchema);

/** The RPC handlers of sessions. Tokens are neither stored nor logged. */
export function auth(app: Parts): Handlers<typeof AuthService> {
  const answer = async (user: User, { sessionId }: SessionHolder, refreshToken: string, now: Date) => ({
    accessToken: await app.accessTokens.sign({
      ...{ userId: user.id, role: user.role, sessionId, now },
      emailConfirmed: user.emailConfirmTime !== undefined,
    }),
    refreshToken,
    expiresIn: accessTokenSecondsMax,
    user: messageOf(user),
  });
  return {
    ...passwordChanges(app),
    ...emailConfirmations(app),

    /** An unknown address and a wrong password get the same answer after the same work. */
    async login({ email, password }, ctx) {
      return await app.attempts.attempt(email, ctx.clientAddress, async () => {
        const found = await app.users.credentialsOf(email);
        const matches = await app.passwords.verify(password, found?.passwordHash, "login", ctx);
        if (found === undefined || !matches) throw new CallError(errors.CREDENTIALS_INVALID);
        const holder = { sessionId: uuidv7(), userId: found.user.id };
        const { token, hash } = app.refreshTokens.first(holder.sessionId);
        const { passwordHash } = found;
        const opened = await app.sessions.open(holder, { passwordHash, tokenHash: hash });
        // The password changed while the old one was compared, so the caller does not know the current one.
        if (opened === "PASSWORD_CHANGED") throw new CallError(errors.CREDENTIALS_INVALID);
        // Revealed only to callers who know the password.
        if (opened === "DISABLED") throw new CallError(errors.ACCOUNT_DISABLED);
        return await answer({ ...found.user, role: opened.role }, holder, token, opened.now);
      });
    },

    async refreshToken({ refreshToken }) {
      const redeemed = await app.sessions.redeem({ token: refreshToken, hash: hashOf(refreshToken) });
      // Reads the account again, so that the new access token has its current state.
      const user = redeemed && (await app.users.byId(redeemed.userId));
      if (redeemed === undefined || user === undefined) throw new CallError(errors.REFRESH_TOKEN_INVALID);
      return await answer(user, redeemed, redeemed.next, redeemed.now);
    },

    async logout(_request, { caller }) {
      if (caller.kind === "user") await app.sessions.end(caller.sessionId);
      return {};
    },

    async logoutAll(_request, { caller }) {
      if (caller.kind !== "user") throw new CallError(callErrors.CALLER_REQUIRED);
      const { userId } = caller;
      await app.database.sql.begin((tx) => endAllSessions(tx, { userId, reason: "LOGOUT_ALL" }));
      return {};
    },

    async listRevocations({ since, pageToken }) {
      const filter = { since: since === undefined ? null : timestampDate(since).toISOString() };
      const { messages, nextPageToken } = await page(
        { pageToken },
        {
          filter,
          sortKeys: [isTime, isUuid],
          rowsMax: endedRowsMax,
          read: ({ after, limit }) =>
            app.sessions.ended({
              since: since && timestampDate(since),
              withinMs: endedMsMax,
              after: after && { time: new Date(after[0]), id: after[1] },
              limit,
            }),
          keysOf: ({ time, id }) => [time.toISOString(), id],
          messageOf: ({ id, time }) => ({ sessionId: id, time: timestampFromDate(time) }),
          bytesOf: revocationBytes,
        },
      );
      return { revocations: messages, nextPageToken };
    },

    async getJsonWebKeySet() {
      return { keys: [...(await app.accessTokens.publicKeys())], gatewayTokens: app.useGatewayTokens() };
    },
  };
}

/** Whether the text is a time as in page tokens, within the years that Postgres supports. */
function isTime(text: string): boolean {
  return /^2\d{3}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
}
