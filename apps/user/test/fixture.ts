import { AuthService, UserService } from "@rialto/contracts";
import {
  backgroundContext,
  createClient,
  createEndpoint,
  createServiceTokens,
  createTokenVerifier,
  type PropagatedContext,
  reasonOf,
} from "@rialto/rpc";
import { type App, readConfig, type StartupNotice } from "@rialto/service";
import { createLogger, type Logger } from "@rialto/telemetry";
import { testDatabase } from "@rialto/testing";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { v7 as uuidv7 } from "uuid";
import { user as service } from "../src/service.ts";

/** The user service on its own database, called through its endpoint by users (via the gateway) and by services. */
export type Fixture = Awaited<ReturnType<typeof openFixture>>;

export const password = "correct horse battery staple";

export async function openFixture() {
  const db = await testDatabase({ schemas: service.schemas });
  const database = db.database("user");
  const signingKey = await newKey("access-1");
  const serviceKeys = {
    gateway: await newKey("gateway"),
    order: await newKey("order"),
    payment: await newKey("payment"),
    notification: await newKey("notification"),
  };
  const logged: string[] = [];
  const log = createLogger({
    service: "user",
    level: "trace",
    destination: { write: (line) => void logged.push(line) },
  });
  let wakes = 0;

  /** Starts a process of the service with an environment. */
  async function start(env: Readonly<Record<string, string>> = {}) {
    const startupNotices: StartupNotice[] = [];
    const config = readConfig({
      RIALTO_ARGON2_COST: "test",
      RIALTO_SIGNING_KEY: JSON.stringify(signingKey),
      ...env,
    });
    const app: App = {
      ...{ name: "user", calls: {}, database, config, log: log as Logger },
      extra: () => database,
      derivedKey: (purpose) => purpose,
      now: () => new Date(),
      wakeRelay: () => {
        wakes += 1;
      },
      addStartupNotice: (notice) => startupNotices.push(notice),
    };
    const open = await service.open(app);
    const verifier = createTokenVerifier({
      accessKeys: async () => ({
        keys: (await clients("gateway").auth.getJsonWebKeySet({}, anonymous())).keys.map(plain),
      }),
      serviceKeys: { keys: Object.values(serviceKeys).map(({ d: _private, ...key }) => key) },
    });
    const endpoint = createEndpoint({
      service: "user",
      routes: open.routes,
      verifier,
      fingerprintKey: "a key for tests",
      log,
    });
    const clients = (caller: keyof typeof serviceKeys) => {
      const names = {
        caller,
        target: "user",
        tokens: createServiceTokens({ name: caller, privateKey: serviceKeys[caller] }),
      };
      const target = { kind: "local", endpoint: () => endpoint, checksMessages: true } as const;
      return { users: createClient(UserService, target, names), auth: createClient(AuthService, target, names) };
    };
    return { ...clients("gateway"), as: clients, open, verifier, seed: open.seed, startupNotices };
  }

  const first = await start();

  /** Creates an account with a unique address. */
  async function person(o: { email?: string } = {}) {
    const email = o.email ?? `${uuidv7()}@example.com`;
    const { user } = await first.users.createUser({ email, name: "Ada", password }, anonymous());
    const session = await first.auth.login({ email, password }, anonymous());
    return { id: user?.id ?? "", email, session, origin: bearer(session.accessToken) };
  }

  /** The confirmations that mails were requested for, oldest first. */
  async function confirmationsOf(userId: string): Promise<string[]> {
    const rows = await database.sql<{ id: string }[]>`
      select payload->>'confirmationId' as id from outbox
      where topic in ('user.created', 'user.email_confirmation_requested') and payload->>'userId' = ${userId} order by id`;
    return rows.map(({ id }) => id);
  }

  /** The token in the link of a mail. */
  async function confirmationToken(confirmationId: string): Promise<string> {
    return (await first.as("notification").auth.createEmailConfirmationToken({ confirmationId }, anonymous())).token;
  }

  return {
    ...first,
    start,
    person,
    confirmationsOf,
    confirmationToken,
    /** Confirms the address of the last link that was sent for an account. */
    async confirm(userId: string): Promise<void> {
      const ids = await confirmationsOf(userId);
      await first.auth.confirmEmail({ token: await confirmationToken(ids.at(-1) ?? "") }, anonymous());
    },
    database,
    sql: db.sql,
    logged,
    wakes: () => wakes,
    /** Creates an admin, with the call context of their requests. */
    async admin() {
      const email = `${uuidv7()}@example.com`;
      const process = await start({ RIALTO_ADMIN_EMAIL: email, RIALTO_ADMIN_PASSWORD: password });
      await process.seed();
      const { accessToken, user } = await first.auth.login({ email, password }, anonymous());
      return { id: user?.id ?? "", origin: bearer(accessToken) };
    },
    events: (subject: string) =>
      database.sql<{ topic: string; version: number; payload: unknown }[]>`
        select topic, version, payload from outbox where subject = ${subject} order by id`,
    close: () => db.close(),
  };
}

export function anonymous(): PropagatedContext {
  return backgroundContext({ timeoutMs: 20_000 });
}

export function bearer(userToken: string): PropagatedContext {
  return { ...anonymous(), userToken };
}

/** The reason that a call is refused with; "none" if it succeeds. */
export function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: unknown) => reasonOf(error) ?? String(error),
  );
}

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: "EdDSA", use: "sig" };
}

function plain({
  kty,
  crv,
  x,
  kid,
  alg,
  use,
}: {
  kty: string;
  crv: string;
  x: string;
  kid: string;
  alg: string;
  use: string;
}) {
  return { kty, crv, x, kid, alg, use };
}
