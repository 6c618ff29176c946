import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimeUrl } from "@rialto/database";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { freePort, quietLogger, redisForTests } from "@rialto/testing";
import { takePortBlock } from "../chaos/ports.ts";

const apps = new URL("../../", import.meta.url);
const services = ["user", "product", "order", "payment", "notification"] as const;
/** The names of the processes of `sixProcesses`. */
export const sixNames = [...services, "gateway"] as const;
/** Six processes that start at once on a machine that is busy with other tests. */
const readyMsMax = 180_000;
/** The same of twice as many processes. */
const manyReadyMsMax = 360_000;
/** More than a process takes to exit by itself, without a drain. */
const stopMsMax = 30_000;

const secret = "the secret of an end-to-end test run";

export const admin = { email: "admin@rialto.test", password: "correct horse battery" };

/** A running system: its URL, its database and its data folder. */
export interface Topology {
  readonly url: string;
  /** As the superuser. */
  readonly databaseUrl: string;
  /** As the order service's runtime role. */
  readonly orderUrl: string;
  readonly dataDir: string;
  /** The process ids. */
  readonly pids: readonly number[];
  /** The output of processes that ended unexpectedly. */
  ended(): readonly string[];
  /** The output of all processes. */
  said(): string;
  stop(): Promise<void>;
}

/**
 * All services and the gateway in one process, with jobs on Postgres or its own Redis. `settings` are those of its
 * Postgres.
 */
export async function oneProcess(
  jobs: "postgres" | "redis",
  env: Readonly<Record<string, string>> = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Topology> {
  const ground = await breakGround(jobs === "redis", settings);
  const port = await freePort();
  const child = start("rialto", { ...ground.env, ...env, PORT: String(port) });
  return finish(ground, [child], [port]);
}

/**
 * Each service and the gateway in its own process, with HTTP between them and jobs on Redis. `env` may differ from
 * process to process.
 */
export async function sixProcesses(
  env: Readonly<Record<string, string>> | ((name: string) => Readonly<Record<string, string>>) = {},
): Promise<Topology & { direct(name: string): string }> {
  const ground = await breakGround(true);
  const ports = new Map<string, number>();
  for (const name of sixNames) ports.set(name, await freePort());
  const direct = (name: string) => `http://127.0.0.1:${ports.get(name)}`;
  const urls = Object.fromEntries(services.map((name) => [`RIALTO_${name.toUpperCase()}_URL`, direct(name)]));
  const children = [...ports].map(([name, port]) =>
    start(name, { ...ground.env, ...urls, ...(typeof env === "function" ? env(name) : env), PORT: String(port) }),
  );
  // The gateway waits for all of them.
  return { ...(await finish(ground, children, [ports.get("gateway") ?? 0])), direct };
}

/** One replica of the order service. */
export interface OrderReplica {
  readonly url: string;
  kill(): Promise<void>;
  start(): void;
}

/**
 * One process per service and the gateway, and a second replica of the order service, which can be killed and
 * restarted.
 */
export async function withTwoOrderReplicas(
  env: Readonly<Record<string, string>>,
): Promise<Topology & { readonly orders: readonly OrderReplica[]; direct(service: string): string }> {
  const ground = await breakGround(true);
  const ports = new Map<string, number>();
  for (const name of [...services, "second order", "gateway"]) ports.set(name, await freePort());
  const at = (name: string) => `http://127.0.0.1:${ports.get(name)}`;
  const urls = Object.fromEntries(services.map((name) => [`RIALTO_${name.toUpperCase()}_URL`, at(name)]));
  const common = { ...ground.env, ...urls, RIALTO_ORDER_URL: `${at("order")},${at("second order")}`, ...env };
  const begin = (name: string) => start(name.split(" ").at(-1) ?? name, { ...common, PORT: String(ports.get(name)) });
  const children = [...ports.keys()].map(begin);
  const orders = ["order", "second order"].map((name): OrderReplica => {
    let running = children[[...ports.keys()].indexOf(name)];
    return {
      url: at(name),
      async kill() {
        if (running === undefined) return;
        const exited = once(running.child, "exit");
        running.child.kill("SIGKILL");
        await exited;
      },
      start() {
        running = begin(name);
        children.push(running);
      },
    };
  });
  const topology = await finish(ground, children, [...ports.values()]);
  return { ...topology, orders, direct: at };
}

/** A process that can be restarted on its port. */
export interface RestartableProcess {
  readonly name: string;
  readonly port: number;
  /** Sends SIGTERM, waits for the exit, and starts it again. Resolves when it is ready, with how the old one exited. */
  restart(): Promise<Exit>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Two replicas of each service and two gateways, each a process. The first gateway's URL is the topology's. */
export async function twoOfEach(
  env: Readonly<Record<string, string>>,
): Promise<Topology & { readonly processes: readonly RestartableProcess[]; readonly gatewayPorts: readonly number[] }> {
  const redis = await redisForTests();
  await redis?.close();
  // Each process has pools of its own.
  const ground = await breakGround(redis !== undefined, { max_connections: "300" });
  // A port must stay free while its process is restarted.
  const block = await takePortBlock();
  const places = [...services, ...services, "gateway", "gateway"].map((name) => ({ name, port: block.next() }));
  const urls = services.map((name) => {
    const ports = places.filter((place) => place.name === name).map(({ port }) => port);
    return [`RIALTO_${name.toUpperCase()}_URL`, ports.map((port) => `http://127.0.0.1:${port}`).join(",")] as const;
  });
  const begin = ({ name, port }: { readonly name: string; readonly port: number }) =>
    start(name, { ...ground.env, ...Object.fromEntries(urls), ...env, PORT: String(port) });
  const children: Started[] = [];
  const processes = places.map((place): RestartableProcess => {
    let running = begin(place);
    children.push(running);
    return {
      ...place,
      async restart() {
        const exited = once(running.child, "exit");
        running.child.kill("SIGTERM");
        const [code, signal] = await exited;
        running = begin(place);
        children.push(running);
        await ready([place.port], [running], manyReadyMsMax);
        return { code, signal };
      },
    };
  });
  const gatewayPorts = places.filter(({ name }) => name === "gateway").map(({ port }) => port);
  const ports = [...places.map(({ port }) => port), ...gatewayPorts.slice(0, 1)];
  const topology = await finish(ground, children, ports, manyReadyMsMax);
  return {
    ...topology,
    processes,
    gatewayPorts,
    async stop() {
      await topology.stop();
      block.close();
    },
  };
}

interface Ground {
  readonly env: Readonly<Record<string, string>>;
  readonly dataDir: string;
  readonly databaseUrl: string;
  clear(): Promise<void>;
}

async function breakGround(withRedis: boolean, settings: Readonly<Record<string, string>> = {}): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), "rialto-e2e-"));
  // Postgres runs as another user under root and must be able to read the folder.
  await chmod(folder, 0o755);
  const postgres = await startEmbeddedPostgres({ directory: join(folder, "postgres"), log: quietLogger, settings });
  const redis = withRedis ? await redisForTests() : undefined;
  if (withRedis && redis === undefined) throw new Error("this topology needs redis-server");
  const dataDir = join(folder, "data");
  return {
    dataDir,
    databaseUrl: postgres.url,
    env: {
      DATABASE_URL: postgres.url,
      RIALTO_DATA_DIR: dataDir,
      RIALTO_SECRET: secret,
      RIALTO_ADMIN_EMAIL: admin.email,
      RIALTO_ADMIN_PASSWORD: admin.password,
      RIALTO_LOG_LEVEL: "warn",
      RIALTO_TEST_CHECK_MESSAGES: "on",
      // As in production, no traces are kept, unless a test is about them.
      OTEL_SDK_DISABLED: "true",
      // All requests of a run come from one address and a few users.
      RIALTO_RATE_LIMIT: "0",
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    },
    async clear() {
      await redis?.close();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Started {
  readonly name: string;
  readonly child: ChildProcess;
  readonly output: string[];
}

function start(name: string, env: Readonly<Record<string, string>>): Started {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => !/^(RIALTO_|PORT$|REDIS_URL|DATABASE_URL|SMTP_URL|NODE_ENV|VITEST)/.test(key),
    ),
  );
  const child = spawn(process.execPath, [new URL(`${name}/src/main.ts`, apps).pathname], {
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  child.stdout.on("data", (chunk) => output.push(String(chunk)));
  child.stderr.on("data", (chunk) => output.push(String(chunk)));
  return { name, child, output };
}

/** Waits until the processes on these ports are ready; the last one is the gateway. */
async function finish(
  ground: Ground,
  started: readonly Started[],
  ports: readonly number[],
  msMax = readyMsMax,
): Promise<Topology> {
  const url = `http://127.0.0.1:${ports.at(-1)}`;
  const stop = async () => {
    await Promise.all(started.map(({ child }) => end(child)));
    await ground.clear();
  };
  try {
    await ready(ports, started, msMax);
  } catch (error) {
    await stop();
    throw error;
  }
  const { databaseUrl } = ground;
  const pids = started.flatMap(({ child }) => child.pid ?? []);
  return {
    url,
    databaseUrl,
    orderUrl: await runtimeUrl(databaseUrl, "order", secret),
    dataDir: ground.dataDir,
    pids,
    ended: () =>
      started
        .filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
        .map(({ name, output }) => `${name}: ${output.join("")}`),
    said: () => started.map(({ output }) => output.join("")).join(""),
    stop,
  };
}

/** Waits until each process reports that it is ready and its subscriptions are registered. */
async function ready(ports: readonly number[], started: readonly Started[], msMax: number): Promise<void> {
  const until = Date.now() + msMax;
  for (const port of ports) {
    while (!(await isReady(port))) {
      const dead = started.find(({ child }) => child.exitCode !== null);
      if (dead !== undefined) throw new Error(`${dead.name} ended early:\n${dead.output.join("")}`);
      if (Date.now() > until) {
        const said = started.map(({ name, output }) => `${name}: ${output.join("")}`).join("\n");
        const answers = await Promise.all(ports.map(async (one) => `${one}: ${await readinessOf(one)}`));
        throw new Error(`not ready in ${msMax} ms:\n${answers.join("\n")}\n${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** What a process says of its readiness. */
async function readinessOf(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ready`);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}

async function isReady(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await exited;
  clearTimeout(killer);
}
