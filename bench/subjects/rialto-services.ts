import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, freePort, startChild } from "./child.ts";
import { startRedis } from "./redis.ts";
import { rialtoEnv } from "./rialto.ts";

/** The gateway, each service and their Redis as processes. */
export interface RialtoServices {
  readonly url: string;
  /** Of each replica of the order service. */
  readonly orderUrls: readonly string[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const services = ["user", "product", "order", "payment", "notification"] as const;
const readyMsMax = 180_000;
const readyPollMs = 50;

/** Starts a checkout's gateway and services, each in a process of its own, and waits until they are ready. */
export async function startRialtoServices(o: {
  readonly root: string;
  readonly folder: string;
  readonly redis: string | undefined;
  readonly orderReplicas: number;
  readonly env: Readonly<Record<string, string>>;
}): Promise<RialtoServices> {
  const { root, folder } = o;
  const replicas = services.flatMap((name) => Array<string>(name === "order" ? o.orderReplicas : 1).fill(name));
  const places = await Promise.all([...replicas, "gateway"].map(async (name) => ({ name, port: await freePort() })));
  const urls = services.map((name) => {
    const all = places.filter((place) => place.name === name).map(({ port }) => `http://127.0.0.1:${port}`);
    return [`RIALTO_${name.toUpperCase()}_URL`, all.join(",")] as const;
  });
  const started: Child[] = [];
  const stop = async () => {
    // The newest first: what is called outlives its callers.
    for (const child of started.toReversed()) await child.stop();
  };
  try {
    const redis = await startRedis(o.redis, folder);
    started.push(redis);
    const env = { ...rialtoEnv(folder), ...Object.fromEntries(urls), REDIS_URL: redis.url, ...o.env };
    const children = places.map(({ name, port }) =>
      startChild({
        name: `${name}-${port}`,
        command: process.execPath,
        args: [join(root, `apps/${name}/src/main.ts`)],
        cwd: root,
        folder,
        port,
        env: { ...env, PORT: `${port}` },
      }),
    );
    for (const result of await Promise.allSettled(children)) {
      if (result.status === "rejected") throw result.reason;
      started.push(result.value);
    }
    for (const { port } of places) await ready(port);
    const gateway = places.at(-1)?.port;
    const orderUrls = places.filter(({ name }) => name === "order").map(({ port }) => `http://127.0.0.1:${port}`);
    return { url: `http://127.0.0.1:${gateway}`, orderUrls, pids: started.map(({ pid }) => pid), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(port: number): Promise<void> {
  const until = performance.now() + readyMsMax;
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (performance.now() > until) throw new Error(`a process of Rialto is not ready within ${readyMsMax} ms`);
    await sleep(readyPollMs);
  }
}
