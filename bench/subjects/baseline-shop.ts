import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Child, freePort, startChild } from "./child.ts";
import { redisProgram } from "./redis.ts";
import { customersMade, productsMade, type Shop, type ShopPlace, stockMade } from "./shop.ts";

const folder = new URL("../baselines/", import.meta.url);
const tokenSeconds = 3_600;

/** The services of the Express shop, in the order in which they start; the last one is the public port. */
const expressServices = ["users", "products", "payments", "notifications", "orders", "gateway"] as const;

/** Express in the tutorial's style: six processes, BullMQ on a Redis that is counted too. */
export async function openExpressShop(place: ShopPlace): Promise<Shop> {
  const redisPort = await freePort();
  const ports = new Map<string, number>();
  for (const name of expressServices) ports.set(name, await freePort());
  const urls = Object.fromEntries([...ports].map(([name, port]) => [name, `http://127.0.0.1:${port}`]));
  const redis = redisProgram(place.bench.tools.redis, redisPort);
  const services = expressServices.map((name) => ({
    name,
    args: [new URL(`express/${name}.js`, folder).pathname, `${ports.get(name)}`],
    port: ports.get(name) ?? 0,
    env: { BENCH_REDIS_PORT: `${redisPort}`, BENCH_SERVICE_URLS: JSON.stringify(urls) },
  }));
  return openBaselineShop(place, [redis, ...services]);
}

/** The monolith: one process. */
export async function openMonolith(place: ShopPlace): Promise<Shop> {
  const port = await freePort();
  const args = [new URL("monolith.js", folder).pathname, `${port}`];
  return openBaselineShop(place, [{ name: "monolith", args, port }]);
}

/** How the queue of DBOS is set. */
export interface DbosQueue {
  readonly concurrency: number;
  readonly pollingMs: number;
}

/** A shop on DBOS: one process. */
export async function openDbosShop(place: ShopPlace, queue: DbosQueue): Promise<Shop> {
  const port = await freePort();
  const args = [new URL("dbos.js", folder).pathname, `${port}`];
  const env = { BENCH_DBOS_CONCURRENCY: `${queue.concurrency}`, BENCH_DBOS_POLLING_MS: `${queue.pollingMs}` };
  return openBaselineShop(place, [{ name: "dbos", args, port, env }]);
}

/** The tables alone, for statements that pgbench sends. Its address is the database's. */
export async function openTables(place: ShopPlace): Promise<Shop> {
  return { ...(await openBaselineShop(place, [])), url: place.database.url };
}

interface ShopProgram {
  readonly name: string;
  readonly command?: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Fills a database by SQL, starts the programs on it, and signs the customers' tokens itself. */
async function openBaselineShop(place: ShopPlace, programs: readonly ShopProgram[]): Promise<Shop> {
  const { database, reportEnv } = place;
  const { sql } = database;
  await sql.unsafe(readFileSync(new URL("shop/schema.sql", folder), "utf8"));
  const customers = Array.from({ length: customersMade }, (_, index) => {
    const id = numberedId("9000", index);
    return { id, email: `${id}@customer.example`, name: "Ada Lovelace" };
  });
  const products = Array.from({ length: productsMade }, (_, index) => ({
    id: numberedId("8000", index),
    name: `Product ${index}`,
    description: "A product of the bench, with a description of about the length that one has.",
    category: "bench",
    price: 1_000 + index,
    currency: "EUR",
    active: true,
  }));
  await sql`insert into customer ${sql(customers)}`;
  await sql`insert into product ${sql(products)}`;
  await sql`insert into stock ${sql(products.map(({ id }) => ({ product_id: id, on_hand: stockMade, reserved: 0 })))}`;
  await sql`analyze`;

  const secret = randomBytes(32).toString("hex");
  const started: Child[] = [];
  const stop = async () => {
    for (const child of started.toReversed()) await child.stop();
  };
  try {
    for (const { command = process.execPath, env = {}, ...program } of programs) {
      const own = { BENCH_DATABASE_URL: database.url, BENCH_JWT_SECRET: secret, NODE_ENV: "production" };
      started.push(
        await startChild({
          ...program,
          command,
          cwd: place.folder,
          folder: place.folder,
          env: { ...reportEnv, ...own, ...env },
        }),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${programs.at(-1)?.port}`,
    pids: started.map(({ pid }) => pid),
    productIds: products.map(({ id }) => id),
    tokens: async () => customers.map(({ id }) => signed(id, secret)),
    async orders() {
      const [row] = await sql`
        select count(*) filter (where status = 'CONFIRMED')::int as confirmed,
          count(*) filter (where status = 'PENDING')::int as pending
        from orders`;
      return { confirmed: row?.confirmed ?? 0, pending: row?.pending ?? 0 };
    },
    stop,
  };
}

/** An id that pgbench's script can name too. */
function numberedId(kind: string, index: number): string {
  return `00000000-0000-7000-${kind}-${String(index).padStart(12, "0")}`;
}

/** A JSON Web Token of a customer, by HS256. */
function signed(customerId: string, secret: string): string {
  const issued = Math.floor(Date.now() / 1_000);
  const input = [
    { alg: "HS256", typ: "JWT" },
    { sub: customerId, iat: issued, exp: issued + tokenSeconds },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}
