import type { AuthService } from "@rialto/contracts";
import { type Handlers, refuse } from "@rialto/rpc";
import { v7 as uuidv7 } from "uuid";
import { errors } from "./errors.ts";
import type { Passwords } from "./passwords.ts";
import type { SessionHolder, SessionStore } from "./session-store.ts";
import type { UserStore } from "./store.ts";
import { type AccessTokens, accessTokenSecondsMax, hashOf, newRefreshToken } from "./tokens.ts";
import type { User } from "./user.ts";
import { messageOf } from "./user-message.ts";

interface Parts {
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly passwords: Passwords;
  readonly accessTokens: AccessTokens;
}

/** The RPC handlers of sessions. No token is stored, and none is in a log. */
export function auth(app: Parts): Handlers<typeof AuthService> {
  const answer = async (user: User, { sessionId }: SessionHolder, refreshToken: string, now: Date) => ({
    accessToken: await app.accessTokens.sign({ userId: user.id, role: user.role, sessionId, now }),
    refreshToken,
    expiresIn: accessTokenSecondsMax,
    user: messageOf(user),
  });
  return {
    /** Unknown address or wrong password: the same answer after the same work. */
    async login({ email, password }, ctx) {
      const found = await app.users.credentialsOf(email);
      const matches = await app.passwords.verify(password, found?.passwordHash, ctx.signal);
      if (found === undefined || !matches) throw refuse(errors.CREDENTIALS_INVALID);
      const holder = { sessionId: uuidv7(), userId: found.user.id };
      const { token, hash } = newRefreshToken();
      await app.sessions.open(holder, { tokenHash: hash, now: ctx.now });
      return await answer(found.user, holder, token, ctx.now);
    },

    async refreshToken({ refreshToken }, ctx) {
      const { token, hash } = newRefreshToken();
      const spent = { tokenHash: hashOf(refreshToken), nextHash: hash, now: ctx.now };
      const holder = await app.sessions.spend(spent);
      // The role is read again: the next access token says what the account is now.
      const user = holder && (await app.users.byId(holder.userId));
      if (holder === undefined || user === undefined) throw refuse(errors.REFRESH_TOKEN_INVALID);
      return await answer(user, holder, token, ctx.now);
    },

    async logout(_request, { caller, now }) {
      if (caller.kind === "user") await app.sessions.end(caller.sessionId, now);
      return {};
    },

    async getJsonWebKeySet() {
      return { keys: [app.accessTokens.publicKey] };
    },
  };
}
