import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeUrl } from "@rialto/database";
import { serviceNames } from "@rialto/service";
import { type MailCatcher, startMailCatcher } from "./mail-catcher.ts";
import { takePortBlock } from "./ports.ts";
import { type PostgresServer, startPostgresServer } from "./postgres-server.ts";
import { describeProcess, type NodeProcess } from "./process.ts";
import { createLink, type Link } from "./proxy-link.ts";
import { type RedisServer, startRedisServer } from "./redis-server.ts";

const apps = new URL("../../", import.meta.url);
const replicas = [1, 2] as const;
/** Node's compile cache, kept between runs so that restarts are faster. */
const compiled = new URL("../node_modules/.cache/rialto-chaos", apps).pathname;
/** Long enough for the configuration's rules; the same in all processes. */
const secret = "the secret of a run of the crash harness";

const migrateMsMax = 120_000;

export type JobsBackend = "redis" | "postgres";

/** The running system: two replicas of each service, one gateway, and their infrastructure. */
export interface System {
  readonly folder: string;
  readonly admin: { readonly email: string; readonly password: string };
  /** The URL for customers. */
  readonly url: string;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly mail: MailCatcher;
  /** The gateway and the replicas. */
  readonly processes: readonly NodeProcess[];
  /** The links between the processes. */
  readonly links: readonly Link[];
  stop(o: { readonly keep: boolean }): Promise<void>;
}

/**
 * Starts the system, one process per replica, as `node apps/<service>/src/main.ts` does, with a link between any two.
 * Waits until all are ready.
 */
export async function startSystem(o: {
  readonly jobs: JobsBackend;
  readonly env: NodeJS.ProcessEnv;
  readonly mayCrash: boolean;
}): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), "rialto-chaos-"));
  // Postgres runs as another user under root and must be able to reach its data.
  chmodSync(folder, 0o755);
  const logs = join(folder, "logs");
  mkdirSync(logs);
  const ports = await takePortBlock();
  const postgres = await startPostgresServer(join(folder, "postgres"));
  const redisPort = ports.next();
  const redis = o.jobs === "redis" ? await startRedisServer(redisPort, folder) : undefined;
  const mail = await startMailCatcher();
  const admin = { email: "admin@rialto.test", password: "correct horse battery" };
  const common: Record<string, string> = {
    ...inherited(o.env),
    NODE_COMPILE_CACHE: compiled,
    RIALTO_DATA_DIR: join(folder, "data"),
    RIALTO_SECRET: secret,
    RIALTO_ADMIN_EMAIL: admin.email,
    RIALTO_ADMIN_PASSWORD: admin.password,
    RIALTO_ARGON2_COST: "test",
    RIALTO_DEMO: "false",
    RIALTO_LOG_LEVEL: "info",
    // As in production, no traces are kept.
    OTEL_SDK_DISABLED: "true",
    // All requests of a run come from one address.
    RIALTO_RATE_LIMIT: "0",
  };
  const links: Link[] = [];
  const addLink = async (from: string, to: string, target: number | (() => number)) => {
    const targetPort = typeof target === "number" ? () => target : target;
    const link = await createLink({ from, to, targetPort });
    links.push(link);
    return link.port;
  };
  const gateway = { name: "gateway", app: "gateway", port: ports.next() };
  const services: (typeof gateway)[] = [];
  for (const app of serviceNames)
    for (const replica of replicas) services.push({ name: `${app}-${replica}`, app, port: ports.next() });

  const processes: NodeProcess[] = [];
  for (const { name, app, port } of [...services, gateway]) {
    const env: Record<string, string> = { ...common, PORT: String(port) };
    for (const target of serviceNames) {
      if (target === app) continue;
      const linkPorts = services.filter((s) => s.app === target).map(async (s) => await addLink(name, s.name, s.port));
      const urls = (await Promise.all(linkPorts)).map((linkPort) => `http://127.0.0.1:${linkPort}`);
      env[`RIALTO_${target.toUpperCase()}_URL`] = urls.join(",");
    }
    if (app !== "gateway") {
      const toPostgres = await addLink(name, "postgres", postgres.primaryPort);
      for (const schema of [app, ...(app === "payment" ? ["card_network"] : []), ...(redis ? [] : ["jobs"])])
        env[`RIALTO_${schema.toUpperCase()}_DATABASE_URL`] = await runtimeUrlAt(postgres.url, schema, toPostgres);
      if (redis) env.REDIS_URL = `redis://127.0.0.1:${await addLink(name, "redis", redisPort)}`;
    }
    if (app === "notification") env.SMTP_URL = `smtp://127.0.0.1:${await addLink(name, "mail", mail.port)}`;
    const main = new URL(`${app}/src/main.ts`, apps).pathname;
    processes.push(
      describeProcess({ name, main, port, env, logPath: join(logs, `${name}.log`), mayCrash: o.mayCrash }),
    );
  }
  const url = `http://127.0.0.1:${await addLink("customers", "gateway", gateway.port)}`;

  const stop: System["stop"] = async ({ keep }) => {
    await Promise.all(processes.map(async (part) => await part.stop()));
    await redis?.stop();
    await postgres.stop();
    await mail.close();
    for (const link of links) link.close();
    ports.close();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  try {
    const redisUrl = redis && { REDIS_URL: `redis://127.0.0.1:${redisPort}` };
    await migrate({ ...common, DATABASE_URL: postgres.url, ...redisUrl });
    await Promise.all(processes.map(async (part) => await part.start()));
    // Events from before a subscription's registration are not delivered to it, so wait for all of them.
    await Promise.all(processes.map(async (part) => await part.untilWorking()));
  } catch (error) {
    await stop({ keep: true });
    throw error;
  }
  return { folder, admin, url, postgres, redis, mail, processes, links, stop };
}

/** The environment without variables that configure Rialto, so that runs are reproducible. */
function inherited(env: NodeJS.ProcessEnv): Record<string, string> {
  const ours = /^(RIALTO_|PORT$|REDIS_URL$|DATABASE_URL$|SMTP_URL$|NODE_ENV$|NODE_OPTIONS$|npm_)/;
  const rest = Object.entries(env).filter(([name, value]) => value !== undefined && !ours.test(name));
  // Undefined values were filtered out above.
  return Object.fromEntries(rest) as Record<string, string>;
}

async function runtimeUrlAt(adminUrl: string, schema: string, port: number): Promise<string> {
  const url = new URL(await runtimeUrl(adminUrl, schema, secret));
  url.port = String(port);
  return url.href;
}

async function migrate(env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, [new URL("rialto/src/migrate.ts", apps).pathname], {
    env: { ...env },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: migrateMsMax,
    killSignal: "SIGKILL",
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`migrate failed with exit code ${code}`);
}
