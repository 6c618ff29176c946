import { randomBytes } from "node:crypto";
import { publish } from "@rialto/events";
import type { App } from "@rialto/service";
import { type Config, ConfigurationError } from "@rialto/service/config";
import { continueTrace } from "@rialto/telemetry";
import { v7 as uuidv7 } from "uuid";
import type { UserConfig } from "../config.ts";
import type { Passwords } from "../passwords/passwords.ts";
import { publicationOf } from "./message.ts";
import { openAccount } from "./state.ts";
import { insertUser, type UserStore } from "./store.ts";

interface Parts extends Pick<App, "database" | "log" | "addStartupNotice" | "wakeRelay" | "now"> {
  readonly config: Pick<Config, "production"> & Pick<UserConfig, "adminEmail" | "adminPassword">;
  readonly users: UserStore;
  readonly passwords: Passwords;
}

const passwordBytes = 15;

/**
 * Creates an admin account if there is none. With RIALTO_ADMIN_PASSWORD, makes sure that the account of
 * RIALTO_ADMIN_EMAIL exists, which restores access if the first password was lost. Never changes an existing account:
 * not its password, which its owner may have changed, and not its role, because anyone can sign up with that address
 * first. Reports what it found, and whether the configured password is the account's. Throws in production if there is
 * no admin and no password is configured.
 */
export async function seedAdmin(app: Parts): Promise<void> {
  const { adminEmail: email, adminPassword } = app.config;
  const { signal } = new AbortController();
  const known = await app.users.credentialsOf(email);
  if (known?.user.role === "ADMIN") {
    const hasConfiguredPassword =
      adminPassword === undefined
        ? undefined
        : await app.passwords.verify(adminPassword, known.passwordHash, "sign-up", { signal });
    return app.addStartupNotice({ kind: "admin-kept", email: known.user.email, hasConfiguredPassword });
  }
  if (adminPassword === undefined && (await app.users.hasAdmin())) return;
  if (adminPassword === undefined && app.config.production)
    throw new ConfigurationError([
      "RIALTO_ADMIN_PASSWORD must be set until there is an admin: a generated one would be in the log (NODE_ENV is production)",
    ]);
  if (known !== undefined) {
    app.log.warn({ userId: known.user.id }, "admin address belongs to a customer account");
    return app.addStartupNotice({ kind: "admin-address-taken", email });
  }
  const password = adminPassword ?? randomBytes(passwordBytes).toString("base64url");
  const passwordHash = await app.passwords.hash(password, "sign-up", { signal });
  const admin = openAccount({ id: uuidv7(), email, name: "Admin", role: "ADMIN", at: app.now(), isConfirmed: true });
  const opened = await app.database.sql.begin(async (tx) => {
    const isNew = await insertUser(tx, admin, passwordHash);
    if (isNew) await publish(tx, publicationOf(admin, "CREATED", continueTrace().traceparent));
    return isNew;
  });
  if (!opened) return; // Another replica was first and reports it.
  app.wakeRelay();
  app.addStartupNotice({ kind: "admin-created", email, password: adminPassword === undefined ? password : undefined });
}
