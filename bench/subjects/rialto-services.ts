import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { serviceNames as services } from "../../packages/service/src/service-name.ts";
import { type Child, freePort, startChild } from "./child.ts";
import { startRedis } from "./redis.ts";
import { rialtoEnv } from "./rialto.ts";

/** The gateway, each service and their Redis as processes. */
export interface RialtoServices {
  readonly url: string;
  /** Of each gateway. */
  readonly gatewayUrls: readonly string[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const readyMsMax = 180_000;
const readyPollMs = 50;

/** Starts a checkout's gateway and services, each in a process of its own, and waits until they are ready. */
export async function startRialtoServices(o: {
  readonly root: string;
  readonly folder: string;
  readonly redis: string | undefined;
  readonly orderReplicas: number;
  /** Whether each replica of the order service has a gateway of its own, which knows no other one. One gateway else. */
  readonly gatewayEach?: boolean;
  readonly env: Readonly<Record<string, string>>;
}): Promise<RialtoServices> {
  const { root, folder } = o;
  const replicas = services.flatMap((name) => Array<string>(name === "order" ? o.orderReplicas : 1).fill(name));
  const gateways = Array<string>(o.gatewayEach === true ? o.orderReplicas : 1).fill("gateway");
  const places = await Promise.all([...replicas, ...gateways].map(async (name) => ({ name, port: await freePort() })));
  const urlsOf = (wanted: string) =>
    places.filter(({ name }) => name === wanted).map(({ port }) => `http://127.0.0.1:${port}`);
  const urls = services.map((name) => {
    return [`RIALTO_${name.toUpperCase()}_URL`, urlsOf(name).join(",")] as const;
  });
  const [gatewayUrls, orderUrls] = [urlsOf("gateway"), urlsOf("order")];
  /** What only this process is told. */
  const ownEnv = (port: number): Readonly<Record<string, string>> => {
    const order = orderUrls[gatewayUrls.indexOf(`http://127.0.0.1:${port}`)];
    return o.gatewayEach === true && order !== undefined ? { RIALTO_ORDER_URL: order } : {};
  };
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
        env: { ...env, ...ownEnv(port), PORT: `${port}` },
      }),
    );
    for (const result of await Promise.allSettled(children)) {
      if (result.status === "rejected") throw result.reason;
      started.push(result.value);
    }
    for (const { port } of places) await ready(port);
    return { url: gatewayUrls[0] ?? "", gatewayUrls, pids: started.map(({ pid }) => pid), stop };
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
