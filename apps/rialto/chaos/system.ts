import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeUrl } from "@rialto/database";
import { serviceNames } from "@rialto/service";
import { type MailCatcher, startMailCatcher } from "./mail-catcher.ts";
import { takePortBlock } from "./ports.ts";
import { type PostgresTree, startPostgresTree } from "./postgres-tree.ts";
import { describeProcess, type NodeProcess } from "./process.ts";
import { type Line, layLine } from "./proxy.ts";
import { type RedisServer, startRedisServer } from "./redis-server.ts";

const apps = new URL("../../", import.meta.url);
const replicas = [1, 2] as const;
/** What Node makes of the sources. Kept from run to run: a process that comes back has most of its start done. */
const compiled = new URL("../node_modules/.cache/rialto-chaos", apps).pathname;
/** Long enough for every rule of the configuration, the same in all processes. */
const secret = "the secret of a run of the crash harness";

const migrateMsMax = 120_000;

export type JobsBackend = "redis" | "postgres";

/** Everything that runs: two replicas of each service, one gateway, and what they stand on. */
export interface System {
  readonly folder: string;
  readonly admin: { readonly email: string; readonly password: string };
  /** Where the customers come in. */
  readonly url: string;
  readonly postgres: PostgresTree;
  readonly redis: RedisServer | undefined;
  readonly mail: MailCatcher;
  /** The gateway and the replicas. */
  readonly processes: readonly NodeProcess[];
  /** What every process reaches the others by. */
  readonly lines: readonly Line[];
  stop(o: { readonly keep: boolean }): Promise<void>;
}

/**
 * Starts the system, each process by itself, as `node apps/<service>/src/main.ts` does, and a line of its own between any two; and waits until
 * all of it takes work.
 */
export async function startSystem(o: {
  readonly jobs: JobsBackend;
  readonly env: NodeJS.ProcessEnv;
  readonly mayCrash: boolean;
}): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), "rialto-chaos-"));
  // Root's Postgres runs as another user, and must find the way to its data.
  chmodSync(folder, 0o755);
  const logs = join(folder, "logs");
  mkdirSync(logs);
  const ports = await takePortBlock();
  const postgres = await startPostgresTree(join(folder, "postgres"));
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
    // One address makes all the requests of a run.
    RIALTO_RATE_LIMIT: "0",
  };
  const lines: Line[] = [];
  const lay = async (from: string, to: string, target: number | (() => number)) => {
    const targetPort = typeof target === "number" ? () => target : target;
    const line = await layLine({ from, to, targetPort });
    lines.push(line);
    return line.port;
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
      const linePorts = services.filter((s) => s.app === target).map(async (s) => await lay(name, s.name, s.port));
      const urls = (await Promise.all(linePorts)).map((linePort) => `http://127.0.0.1:${linePort}`);
      env[`RIALTO_${target.toUpperCase()}_URL`] = urls.join(",");
    }
    if (app !== "gateway") {
      const toPostgres = await lay(name, "postgres", postgres.primaryPort);
      for (const schema of [app, ...(app === "payment" ? ["card_network"] : []), ...(redis ? [] : ["jobs"])])
        env[`RIALTO_${schema.toUpperCase()}_DATABASE_URL`] = await runtimeUrlAt(postgres.url, schema, toPostgres);
      if (redis) env.REDIS_URL = `redis://127.0.0.1:${await lay(name, "redis", redisPort)}`;
    }
    if (app === "notification") env.SMTP_URL = `smtp://127.0.0.1:${await lay(name, "mail", mail.port)}`;
    const main = new URL(`${app}/src/main.ts`, apps).pathname;
    processes.push(
      describeProcess({ name, main, port, env, logPath: join(logs, `${name}.log`), mayCrash: o.mayCrash }),
    );
  }
  const url = `http://127.0.0.1:${await lay("customers", "gateway", gateway.port)}`;

  const stop: System["stop"] = async ({ keep }) => {
    await Promise.all(processes.map(async (part) => await part.stop()));
    await redis?.stop();
    await postgres.stop();
    await mail.close();
    for (const line of lines) line.close();
    ports.close();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  try {
    const redisUrl = redis && { REDIS_URL: `redis://127.0.0.1:${redisPort}` };
    await migrate({ ...common, DATABASE_URL: postgres.url, ...redisUrl });
    await Promise.all(processes.map(async (part) => await part.start()));
    // What happens before a subscription is registered is not for it. One that is never registered would seem to want nothing.
    await Promise.all(processes.map(async (part) => await part.untilWorking()));
  } catch (error) {
    await stop({ keep: true });
    throw error;
  }
  return { folder, admin, url, postgres, redis, mail, processes, lines, stop };
}

/** The environment without what would steer a Rialto: a run is the same wherever it is started. */
function inherited(env: NodeJS.ProcessEnv): Record<string, string> {
  const ours = /^(RIALTO_|PORT$|REDIS_URL$|DATABASE_URL$|SMTP_URL$|NODE_ENV$|NODE_OPTIONS$|npm_)/;
  const rest = Object.entries(env).filter(([name, value]) => value !== undefined && !ours.test(name));
  // Undefined values are filtered out just above.
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
  if (code !== 0) throw new Error(`the schemas could not be made: migrate ended with ${code}`);
}
