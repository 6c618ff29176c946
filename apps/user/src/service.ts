import { join } from "node:path";
import { AuthService, UserEventSchema, UserService } from "@rialto/contracts";
import { createAddressCheck } from "@rialto/http";
import { serve } from "@rialto/rpc";
import { defineService, every, openKeyFile, openRateLimits, topicsOf } from "@rialto/service";
import { userVariables } from "./config.ts";
import { createConfirmationStore } from "./one-time-tokens/confirmation-store.ts";
import { createResetStore } from "./one-time-tokens/reset-store.ts";
import { createPasswords } from "./passwords/passwords.ts";
import { createAttemptLimits } from "./requests/attempt-limits.ts";
import { auth } from "./requests/auth.ts";
import { users } from "./requests/users.ts";
import { createRefreshTokens } from "./sessions/refresh-tokens.ts";
import { openSigningKeys } from "./sessions/signing-keys.ts";
import { createSessionStore } from "./sessions/store.ts";
import { createAccessTokens, openGatewayTokens } from "./sessions/tokens.ts";
import { seedAdmin } from "./user/seed.ts";
import { createUserStore } from "./user/store.ts";

/** The user service: accounts, credentials and sessions. */
export const user = defineService({
  name: "user",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only", gateway_token: "read-only" },
  config: userVariables,
  calls: {},
  publishes: topicsOf(UserEventSchema),
  setup: async ({ database, config, derivedKey }) => {
    const limits = openRateLimits(config);
    const refreshTokens = createRefreshTokens(derivedKey("refresh tokens"));
    return {
      users: createUserStore(database),
      sessions: createSessionStore(database, refreshTokens),
      resets: createResetStore(database),
      confirmations: createConfirmationStore(database),
      passwords: await createPasswords(config),
      attempts: createAttemptLimits(limits, derivedKey("failed attempts"), createAddressCheck(config.backendAddresses)),
      accessTokens: await createAccessTokens(
        openSigningKeys(config, () => openKeyFile(join(config.dataDir, "keys", "access-token.jwk"))),
      ),
      useGatewayTokens: await openGatewayTokens(database),
      refreshTokens,
      limits,
    };
  },
  rpc: (app) => [serve(UserService, users(app)), serve(AuthService, auth(app))],
  schedules: (app) => [
    every("5m", "sweep-expired-sessions", app.sessions.sweep),
    every("5m", "sweep-password-resets", app.resets.sweep),
    every("5m", "sweep-email-confirmations", app.confirmations.sweep),
  ],
  seed: seedAdmin,
  stop: (app) => app.limits.close(),
});
