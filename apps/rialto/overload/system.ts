import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
// biome-ignore lint/style/noRestrictedImports: a harness, which no production process runs
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { serviceNames } from "@rialto/service";
import { createLogger } from "@rialto/telemetry";
import { takePortBlock } from "../chaos/ports.ts";
import { startRedisServer } from "../chaos/redis-server.ts";

/**
 * Everything in one process with jobs on Postgres, or each service and the gateway in its own process with jobs on
 * Redis.
 */
export type Processes = "one" | "six";

export interface System {
  readonly url: string;
  /** Processes that ended unexpectedly, with their last output. */
  ended(): readonly string[];
  stop(): Promise<void>;
}

const apps = new URL("../../", import.meta.url);
const readyMsMax = 90_000;
const stopMsMax = 15_000;

/**
 * Starts a system with default settings, except that it keeps no traces, and that loopback is a trusted proxy: clients
 * set their address by X-Forwarded-For.
 */
export async function startSystem(processes: Processes, env: NodeJS.ProcessEnv): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), "rialto-overload-"));
  // Postgres runs as another user under root and must be able to read the folder.
  chmodSync(folder, 0o755);
  const ports = await takePortBlock();
  const quiet = createLogger({ service: "overload", level: "silent" });
  const postgres = await startEmbeddedPostgres({ directory: join(folder, "postgres"), log: quiet });
  const redisPort = ports.next();
  const redis = processes === "six" ? await startRedisServer(redisPort, folder) : undefined;
  const common: Record<string, string> = {
    ...inherited(env),
    DATABASE_URL: postgres.url,
    RIALTO_DATA_DIR: join(folder, "data"),
    RIALTO_SECRET: "the secret of a run under overload",
    RIALTO_TRUSTED_PROXIES: "127.0.0.1",
    // Its peak is one of production, where no traces are kept.
    OTEL_SDK_DISABLED: "true",
    ...(redis === undefined ? {} : { REDIS_URL: `redis://127.0.0.1:${redisPort}` }),
  };
  const started: { readonly name: string; readonly child: ChildProcess; readonly errors: string }[] = [];
  const start = (name: string, port: number, more: Record<string, string> = {}) => {
    const errors = join(folder, `${name}.stderr`);
    const child = spawn(process.execPath, [new URL(`${name}/src/main.ts`, apps).pathname], {
      env: { ...common, ...more, PORT: String(port) },
      stdio: ["ignore", "ignore", openSync(errors, "w")],
    });
    started.push({ name, child, errors });
  };
  const stop = async () => {
    await Promise.all(started.map(({ child }) => end(child)));
    await redis?.stop();
    await postgres.stop();
    ports.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const ended = () =>
    started
      .filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
      .map(({ name, errors }) => `${name}: ${readFileSync(errors, "utf8").slice(-1_000)}`);
  const gatewayPort = ports.next();
  try {
    if (processes === "one") start("rialto", gatewayPort);
    else {
      const portOf = new Map(serviceNames.map((name) => [name, ports.next()]));
      const urls = Object.fromEntries(
        [...portOf].map(([name, port]) => [`RIALTO_${name.toUpperCase()}_URL`, `http://127.0.0.1:${port}`]),
      );
      for (const [name, port] of portOf) start(name, port, urls);
      start("gateway", gatewayPort, urls);
    }
    const url = `http://127.0.0.1:${gatewayPort}`;
    await untilReady(`${url}/ready`, ended);
    return { url, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilReady(url: string, ended: () => readonly string[]): Promise<void> {
  for (const until = Date.now() + readyMsMax; Date.now() < until; await sleep(100)) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    const [dead] = ended();
    if (dead !== undefined) throw new Error(`a process ended: ${dead}`);
  }
  throw new Error(`not ready within ${readyMsMax} ms`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await exited;
  clearTimeout(late);
}

/** The environment without variables that configure Rialto, so that runs are reproducible. */
function inherited(env: NodeJS.ProcessEnv): Record<string, string> {
  const ours = /^(RIALTO_|PORT$|REDIS_URL$|DATABASE_URL$|SMTP_URL$|NODE_ENV$|NODE_OPTIONS$|npm_)/;
  const rest = Object.entries(env).filter(([name, value]) => value !== undefined && !ours.test(name));
  // Undefined values were filtered out above.
  return Object.fromEntries(rest) as Record<string, string>;
}
