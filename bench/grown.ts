/**
 * Compares what each call of the contract costs on small tables and on large ones: the pages that its statements touch,
 * and how long it takes when all is warm. Exit code 1 where a call reads more pages than deeper indexes explain.
 *
 *     npm run grown -- [--orders N] [--small N] [--timed N] [--folder PATH]
 *
 * `--timed` says how often each call is timed: few times decide nothing about p99. A million orders take about 10 GB in
 * the folder (the system's folder for temporary files), which are removed.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { callsInTurn, type Known } from "./grown/calls.ts";
import { fill } from "./grown/fill.ts";
import { type Compared, measureCalls } from "./grown/measure.ts";
import { createPlanReader, planSettings } from "./grown/plans.ts";
import type { Subject } from "./grown/subject.ts";
import { exceededBy, grownTable } from "./grown/table.ts";
import { tableSizes } from "./measure/table-sizes.ts";
import { freePort } from "./subjects/child.ts";
import { type ShopDatabase, startShopDatabase } from "./subjects/postgres.ts";
import { admin, startRialto } from "./subjects/rialto.ts";
import { login, password, poster } from "./subjects/rialto-shop.ts";

/** Data of a moment: nothing is kept that a crash could lose. */
const settings = {
  ...planSettings,
  fsync: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "2GB",
  shared_buffers: "1GB",
};
const root = new URL("../", import.meta.url).pathname;
const tablesShown = 12;

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "1000000" },
    small: { type: "string", default: "10000" },
    timed: { type: "string", default: "300" },
    folder: { type: "string", default: tmpdir() },
  },
});
const print = (line: string) => void process.stdout.write(`${line}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const sizes = { small: count(values.small), large: count(values.orders) };
const timed = Number(values.timed);
if (!Number.isInteger(timed) || timed < 1) throw new Error("--timed is a number of 1 or more");
// Both are filled before one is measured, and then measured in the same minutes.
const shops = { small: await fillAt(sizes.small), large: await fillAt(sizes.large) };
let compared: readonly Compared[];
try {
  compared = await shops.small.open((small) =>
    shops.large.open((large) => measureCalls({ small, large }, { timed, print })),
  );
} finally {
  await shops.small.close();
  await shops.large.close();
}
print(`\n${grownTable(sizes, compared)}`);
if (compared.some((pair) => exceededBy(pair).includes("buffers"))) process.exitCode = 1;

function count(text: string): number {
  const orders = Number(text);
  if (!Number.isInteger(orders) || orders < 10_000) throw new Error("an amount of orders is a number of 10000 or more");
  return orders;
}

/** Tables that are filled. */
interface Filled {
  /** Runs a Rialto on them meanwhile. */
  open<T>(work: (subject: Subject) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Fills tables with so many orders. */
async function fillAt(orders: number): Promise<Filled> {
  const folder = mkdtempSync(join(values.folder, "rialto-grown-"));
  chmodSync(folder, 0o755);
  print(`${orders} orders`);
  // Interrupted: the server, which ends with the bench, may leave a few files.
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const database = await startShopDatabase(folder, settings);
  const { sql } = database;
  const passwordHash = await withRialto(folder, database, async (url) => {
    await poster(url)("/api/users", { email: "first@grown.example", name: "Ada Lovelace", password });
    const [row] = await sql`select password_hash from "user".account where email = 'first@grown.example'`;
    return String(row?.password_hash);
  });
  await fill(database.url, { orders, passwordHash, print });
  await printSizes(database, orders);
  return {
    async open(work) {
      const [place] = await sql`select current_setting('data_directory') as data`;
      const plans = createPlanReader(join(String(place?.data), "..", "server.log"));
      const known = await knownOf(database, orders);
      const others = await rareUsers(database);
      const calls = callsInTurn(known, ...others.map((rare) => ({ ...known, rare })));
      return await withRialto(folder, database, async (url) => {
        const post = poster(url);
        const tokens = {
          admin: await login(post, admin),
          customer: await login(post, { email: "customer-1@grown.example", password }),
        };
        return await work({ url, tokens, sql, plans, calls });
      });
    },
    async close() {
      await database.stop();
      remove();
      process.off("exit", remove);
    },
  };
}

async function withRialto<T>(folder: string, { url }: ShopDatabase, work: (url: string) => Promise<T>): Promise<T> {
  const rialto = await startRialto({
    root,
    port: await freePort(),
    folder,
    env: { DATABASE_URL: url, RIALTO_RATE_LIMIT: "0", RIALTO_DEMO: "false", RIALTO_UNSHIPPED_QUANTITY_MAX: "0" },
  });
  try {
    return await work(rialto.url);
  } finally {
    await rialto.stop();
  }
}

async function knownOf({ sql }: ShopDatabase, orders: number): Promise<Known> {
  const at = Math.floor(orders / 4);
  const [row] = await sql`
    select (select id from "user".account where email = 'customer-1@grown.example') as common,
      (select id from "user".account where email = 'customer-100@grown.example') as rare,
      (select id from "user".account where email = 'customer-250@grown.example') as user,
      (select id from product.product where name = 'Teapot 1251') as product,
      (select actor from "order".audit_entry limit 1) as actor, o.id as order, p.id as payment
    from (select id from "order".orders order by id offset ${at} limit 1) o, payment.payment p where p.order_id = o.id`;
  if (row === undefined) throw new Error("the tables are empty");
  const { common, rare, user, product, actor, order, payment } = row;
  const deep = { order, user, product };
  return { common, rare, orderId: order, paymentId: payment, productId: product, actor, deep };
}

/** Customers beside the first one who have about 20 orders each. */
async function rareUsers({ sql }: ShopDatabase): Promise<readonly string[]> {
  const emails = [180, 260, 340, 420].map((n) => `customer-${n}@grown.example`);
  const rows = await sql<{ id: string }[]>`select id from "user".account where email = any (${emails}) order by email`;
  return rows.map(({ id }) => id);
}

async function printSizes({ sql }: ShopDatabase, orders: number): Promise<void> {
  const sizes = await tableSizes(sql);
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  for (const { table, rows, tableBytes, indexBytes } of sizes.slice(0, tablesShown))
    print(`  ${table}: ${Math.round(rows)} rows, ${mib(tableBytes)} and ${mib(indexBytes)} of indexes`);
  const bytes = sizes.reduce((sum, size) => sum + size.tableBytes + size.indexBytes, 0);
  print(`  together ${mib(bytes)}, ${Math.round(bytes / orders)} bytes an order`);
}
