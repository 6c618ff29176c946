import { AuthService, UserService } from "@rialto/contracts";
import { serve } from "@rialto/rpc";
import { defineService, every } from "@rialto/service";
import { auth } from "./auth.ts";
import { createPasswords } from "./passwords.ts";
import { seedAdmin } from "./seed.ts";
import { createSessionStore } from "./session-store.ts";
import { createUserStore } from "./store.ts";
import { createAccessTokens } from "./tokens.ts";
import { users } from "./users.ts";

/** People: accounts, credentials and sessions. */
export const user = defineService({
  name: "user",
  migrations: new URL("../migrations", import.meta.url),
  calls: {},
  own: async ({ database, config, signingKey }) => ({
    users: createUserStore(database),
    sessions: createSessionStore(database),
    passwords: await createPasswords(config),
    accessTokens: await createAccessTokens(await signingKey()),
  }),
  rpc: (app) => [serve(UserService, users(app)), serve(AuthService, auth(app))],
  schedules: (app) => [every("1h", "sweep-expired-sessions", () => app.sessions.sweep(app.now()))],
  seed: seedAdmin,
});
