import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "../load/plan.ts";
import { openRuntimeReports } from "../measure/runtime-reports.ts";
import { type ShopDatabase, startShopDatabase } from "./postgres.ts";
import type { Bench, Running, Subject } from "./subject.ts";

export const customersMade = 20;
export const productsMade = 100;
/** What each product has in stock: more than any run can order. */
export const stockMade = 1_000_000;

/** How orders stand. */
export interface OrderCounts {
  readonly confirmed: number;
  /** Neither confirmed nor refused yet. */
  readonly pending: number;
}

/** A shop with `POST /api/orders`, `GET /api/orders/{id}` and `GET /api/products`, and what it was filled with. */
export interface Shop {
  readonly url: string;
  /** The roots of its process trees, without its Postgres. */
  readonly pids: readonly number[];
  /** A valid access token of each customer. */
  tokens(): Promise<readonly string[]>;
  readonly productIds: readonly string[];
  orders(): Promise<OrderCounts>;
  stop(): Promise<void>;
}

/** Where a shop is started. */
export interface ShopPlace {
  readonly bench: Bench;
  readonly database: ShopDatabase;
  readonly folder: string;
  /** The environment of Node processes that report on themselves. */
  readonly reportEnv: Readonly<Record<string, string>>;
}

/** Makes the load of a row for a shop. */
export type ShopLoad = (shop: Shop, at: { readonly folder: string; readonly bench: Bench }) => Promise<Load> | Load;

/** A shop that is measured. */
export interface ShopSubject extends Subject {
  start(bench: Bench): Promise<Running & { readonly shop: Shop }>;
}

/** A shop on a Postgres of its own, which is counted with it. */
export function shopSubject(o: {
  readonly name: string;
  readonly missing?: string | undefined;
  readonly open: (place: ShopPlace) => Promise<Shop>;
  readonly load: ShopLoad;
}): ShopSubject {
  return {
    name: o.name,
    missing: o.missing,
    async start(bench) {
      const folder = mkdtempSync(join(tmpdir(), "rialto-bench-shop-"));
      const reports = openRuntimeReports();
      let database: ShopDatabase | undefined;
      let shop: Shop | undefined;
      const stop = async () => {
        await shop?.stop();
        await database?.stop();
        reports.close();
        rmSync(folder, { recursive: true, force: true });
      };
      try {
        database = await startShopDatabase(folder);
        shop = await o.open({ bench, database, folder, reportEnv: reports.env });
        const load = await o.load(shop, { folder, bench });
        return { shop, counted: [database.pid, ...shop.pids], load, ask: reports.ask, stop };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}
