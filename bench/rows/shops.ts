import { pgbenchLoad } from "../load/pgbench-load.ts";
import { openDbosShop, openExpressShop, openMonolith, openTables } from "../subjects/baseline-shop.ts";
import { openRialtoShop } from "../subjects/rialto-shop.ts";
import { type Shop, type ShopLoad, type ShopPlace, type ShopSubject, shopSubject } from "../subjects/shop.ts";
import type { Bench } from "../subjects/subject.ts";
import { dbosQueue } from "./dbos-sweep.ts";

/** A shop of a row. Two in one row that differ in their load need names of their own. */
type ShopOf = (bench: Bench, load: ShopLoad, name?: string) => ShopSubject;

/** All of Rialto in one process, jobs on Postgres. */
export const rialtoShop: ShopOf = ({ tools }, load, name = "Rialto, one process") =>
  shopSubject({ name, missing: tools.wrk === undefined ? "wrk" : undefined, open: openRialtoShop, load });

/** A Rialto with its jobs on Redis, put together as `open` does. */
export function rialtoRedisShop(
  { tools }: Bench,
  load: ShopLoad,
  { name, open }: { readonly name: string; readonly open: (place: ShopPlace) => Promise<Shop> },
): ShopSubject {
  return shopSubject({ name, missing: tools.wrk === undefined ? "wrk" : redisMissing(tools), open, load });
}

export const expressShop: ShopOf = ({ tools }, load, name = "Express, six processes") =>
  shopSubject({ name, missing: packagesMissing(tools) ?? redisMissing(tools), open: openExpressShop, load });

export const monolithShop: ShopOf = ({ tools }, load, name = "fastify monolith") =>
  shopSubject({ name, missing: packagesMissing(tools), open: openMonolith, load });

export const dbosShop: ShopOf = ({ tools }, load, name = "DBOS, queue") =>
  shopSubject({ name, missing: packagesMissing(tools), open: (place) => openDbosShop(place, dbosQueue), load });

/** What Postgres alone can do: an order with its key, its lines and its outbox row in one statement. */
export function oneStatement({ tools }: Bench): ShopSubject {
  const script = new URL("../baselines/pgbench/order.sql", import.meta.url).pathname;
  return shopSubject({
    name: "one statement, pgbench",
    missing: tools.pgbench === undefined ? "pgbench" : undefined,
    open: openTables,
    load: ({ url }) => pgbenchLoad({ pgbench: tools.pgbench ?? "pgbench", databaseUrl: url, script }),
  });
}

function packagesMissing({ baselines }: Bench["tools"]): string | undefined {
  return baselines ? undefined : "the baselines' packages";
}

function redisMissing({ redis }: Bench["tools"]): string | undefined {
  return redis === undefined ? "redis-server" : undefined;
}
