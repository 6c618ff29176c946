import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, startChild } from "./child.ts";
import { startRedis } from "./redis.ts";
import { admin, startRialto } from "./rialto.ts";
import { type RialtoServices, startRialtoServices } from "./rialto-services.ts";
import { customersMade, productsMade, type Shop, type ShopPlace, stockMade } from "./shop.ts";

/** The password of every customer. */
export const password = "the password of a customer of the bench";
const triesMax = 50;
const tryPauseMs = 200;
/** Access tokens live for 15 minutes; no round takes 5. */
const tokenMsMax = 300_000;

/** A place of which only the checkout's root and the database's URL are needed. */
interface RialtoShopPlace extends Pick<ShopPlace, "folder" | "reportEnv"> {
  readonly bench: Pick<ShopPlace["bench"], "root">;
  readonly database: Pick<ShopPlace["database"], "url" | "sql">;
}

/** The whole of Rialto in one process, filled over its own API. */
export async function openRialtoShop(place: RialtoShopPlace): Promise<Shop> {
  return openOneProcess(place, []);
}

/** The same with its jobs on a Redis, which is counted. */
export async function openRialtoRedisShop(place: ShopPlace): Promise<Shop> {
  const redis = await startRedis(place.bench.tools.redis, place.folder);
  try {
    return await openOneProcess(place, [redis]);
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/** The gateway and the services in processes of their own, jobs on Redis, with so many replicas of order. */
export async function openRialtoServicesShop(place: ShopPlace, orderReplicas = 1): Promise<Shop> {
  return await openServices(place, { orderReplicas });
}

/** Two replicas of the order service, each behind a gateway of its own, by which one can tell what each answers. */
export async function openTwoOrderReplicas(place: ShopPlace): Promise<Shop & Pick<RialtoServices, "gatewayUrls">> {
  const reportEnv = { ...place.reportEnv, RIALTO_CLIENT_CONNECTIONS_MAX: "2000" };
  return await openServices({ ...place, reportEnv }, { orderReplicas: 2, gatewayEach: true });
}

async function openServices(
  { bench, database, folder, reportEnv }: ShopPlace,
  how: { readonly orderReplicas: number; readonly gatewayEach?: boolean },
) {
  const env = { ...reportEnv, ...shopEnv, DATABASE_URL: database.url };
  const services = await startRialtoServices({ ...how, root: bench.root, folder, redis: bench.tools.redis, env });
  return { ...(await fillShop({ ...services, database })), gatewayUrls: services.gatewayUrls };
}

const sink = new URL("../programs/otlp-sink.ts", import.meta.url).pathname;

/**
 * The same with this share of its traces exported, to a program that takes them and is not counted; without a share
 * nothing is traced. Metrics and log lines are exported in neither case.
 */
export async function openTracedShop(place: ShopPlace, ratio: number | undefined): Promise<Shop> {
  if (ratio === undefined) return await openRialtoShop(place);
  const port = await freePort();
  const { folder } = place;
  const args = [sink, `${port}`];
  const collector = await startChild({ name: "otlp-sink", command: process.execPath, args, port, folder });
  try {
    const shop = await openOneProcess(place, [], {
      // Exported only, as in production.
      OTEL_SDK_DISABLED: "false",
      RIALTO_KEEP_TRACES: "off",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: `${ratio}`,
    });
    return {
      ...shop,
      async stop() {
        await shop.stop();
        await collector.stop();
      },
    };
  } catch (error) {
    await collector.stop();
    throw error;
  }
}

async function openOneProcess(
  { bench, database, folder, reportEnv }: RialtoShopPlace,
  redis: readonly Awaited<ReturnType<typeof startRedis>>[],
  more: Readonly<Record<string, string>> = {},
): Promise<Shop> {
  const jobs = redis.map(({ url }) => ["REDIS_URL", url] as const);
  const env = { ...reportEnv, ...shopEnv, DATABASE_URL: database.url, ...Object.fromEntries(jobs), ...more };
  const rialto = await startRialto({ root: bench.root, port: await freePort(), folder, env });
  return fillShop({
    url: rialto.url,
    pids: [rialto.pid, ...redis.map(({ pid }) => pid)],
    database,
    async stop() {
      await rialto.stop();
      for (const { stop } of redis) await stop();
    },
  });
}

/** Without limits of callers, since 20 customers make all the load. */
const shopEnv = { RIALTO_RATE_LIMIT: "0", RIALTO_DEMO: "false", RIALTO_UNSHIPPED_QUANTITY_MAX: "0" } as const;

/** Fills a system over its own API. Stops it where that fails. */
async function fillShop(o: {
  readonly url: string;
  readonly pids: readonly number[];
  readonly database: Pick<ShopPlace["database"], "sql">;
  readonly stop: () => Promise<void>;
}): Promise<Shop> {
  const { url, pids, database } = o;
  try {
    const post = poster(url);
    const token = await login(post, admin);
    const productIds = await inTurn(productsMade, (index) => createProduct(post, token, index));
    const emails = await inTurn(customersMade, async () => {
      const email = `${randomUUID()}@customer.example`;
      await post("/api/users", { email, name: "Ada Lovelace", password });
      return email;
    });
    const logIn = () => inTurn(emails.length, (index) => login(post, { email: emails[index] ?? "", password }));
    let tokens = { at: performance.now(), all: await logIn() };
    return {
      url,
      pids,
      productIds,
      async tokens() {
        if (performance.now() - tokens.at > tokenMsMax) tokens = { at: performance.now(), all: await logIn() };
        return tokens.all;
      },
      async orders() {
        const [row] = await database.sql`
          select count(*) filter (where status = 'CONFIRMED')::int as confirmed,
            count(*) filter (where status in ('PENDING', 'STOCK_RESERVED'))::int as pending
          from "order".orders`;
        return { confirmed: row?.confirmed ?? 0, pending: row?.pending ?? 0 };
      },
      stop: o.stop,
    };
  } catch (error) {
    await o.stop();
    throw error;
  }
}

export type Post = (path: string, body: unknown, token?: string) => Promise<Record<string, unknown>>;

/** Posts with a key, again and again where the system is busy. */
export function poster(url: string): Post {
  return async (path, body, token) => {
    const key = randomUUID();
    let answer = "";
    for (let tries = 0; tries < triesMax; tries += 1) {
      const response = await fetch(url + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "idempotency-key": key,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      });
      answer = await response.text();
      // Answers are objects, by the contract.
      if (response.ok) return JSON.parse(answer) as Record<string, unknown>;
      await sleep(tryPauseMs);
    }
    throw new Error(`${path} was refused: ${answer}`);
  };
}

/** Returns an access token. */
export async function login(post: Post, who: { readonly email: string; readonly password: string }): Promise<string> {
  return String((await post("/api/auth/login", { email: who.email, password: who.password })).accessToken);
}

async function createProduct(post: Post, token: string, index: number): Promise<string> {
  const product = {
    name: `Product ${index}`,
    description: "A product of the bench, with a description of about the length that one has.",
    category: "bench",
    price: { currencyCode: "EUR", minorUnits: `${1_000 + index}` },
    active: true,
  };
  const { id } = await post("/api/products", product, token);
  await post(`/api/products/${id}/stock:adjust`, { delta: stockMade, reason: "delivery" }, token);
  return String(id);
}

async function inTurn<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const made: T[] = [];
  for (let index = 0; index < count; index += 1) made.push(await make(index));
  return made;
}
