/**
 * Places orders at a steady rate for half an hour, with retention so short that the sweeps run all the time, and prints
 * once a minute how the tables stand: what is swept has to stay as it is. Exit code 1 where it does not.
 *
 *     npm run soak -- [--minutes N] [--rate ORDERS_PER_SECOND]
 *
 * Rialto runs from a copy of the tree with soak/short-retention.patch, so that nothing in it is made for this.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { copyTree } from "../apps/rialto/chaos/tree-copy.ts";
import { runSoak } from "./soak/run.ts";
import { type ShopDatabase, startShopDatabase } from "./subjects/postgres.ts";
import { openRialtoShop } from "./subjects/rialto-shop.ts";
import type { Shop } from "./subjects/shop.ts";

const root = new URL("../", import.meta.url).pathname;
const patch = new URL("./soak/short-retention.patch", import.meta.url).pathname;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, rate: { type: "string", default: "40" } },
});
const [minutes, rate] = [values.minutes, values.rate].map((text) => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new Error("give a number from 1 to 10000");
  return number;
});
if (minutes === undefined || rate === undefined) throw new Error("minutes and rate have defaults");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const folder = mkdtempSync(join(tmpdir(), "rialto-soak-"));
chmodSync(folder, 0o755);
const copy = join(folder, "tree");
let database: ShopDatabase | undefined;
let shop: Shop | undefined;
try {
  copyTree(root, copy);
  execFileSync("git", ["apply", "-C1", patch], { cwd: copy });
  database = await startShopDatabase(folder);
  shop = await openRialtoShop({ bench: { root: copy }, database, folder, reportEnv: {} });
  const print = (line: string) => void process.stdout.write(`${line}\n`);
  const isSteady = await runSoak({ shop, sql: database.sql, minutes, rate, print });
  if (!isSteady) process.exitCode = 1;
} finally {
  await shop?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
}
