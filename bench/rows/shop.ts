import { catalogLoad, orderAcceptedLoad, orderByIdLoad, orderConfirmedLoad } from "../load/shop-load.ts";
import type { Comparison } from "../measure/compare.ts";
import { openDbosShop, openExpressShop, openMonolith } from "../subjects/baseline-shop.ts";
import { openRialtoShop } from "../subjects/rialto-shop.ts";
import { type ShopLoad, shopSubject } from "../subjects/shop.ts";
import type { Bench, Subject } from "../subjects/subject.ts";
import { dbosQueue } from "./dbos-sweep.ts";
import { oneStatement } from "./order-rates.ts";
import { type Row, withBefore } from "./row.ts";

/** The whole of Rialto in one process, through its gateway, beside other shops: reads, and orders. */
export const shopRows: readonly Row[] = [
  { name: "order-by-id", comparisons: (bench) => withBefore(bench, () => beside(bench, orderByIdLoad), 4) },
  { name: "catalog", comparisons: (bench) => withBefore(bench, () => beside(bench, catalogLoad), 3) },
  {
    name: "order-accepted",
    comparisons: (bench) =>
      withBefore(bench, () => [
        ...beside(bench, orderAcceptedLoad),
        { subject: rialto(bench, orderAcceptedLoad), baseline: dbos(bench, orderAcceptedLoad) },
        { subject: rialto(bench, orderAcceptedLoad), baseline: oneStatement(bench) },
      ]),
  },
  {
    name: "order-confirmed",
    comparisons: (bench) =>
      withBefore(
        bench,
        () => [
          ...beside(bench, orderConfirmedLoad),
          { subject: rialto(bench, orderConfirmedLoad), baseline: dbos(bench, orderConfirmedLoad) },
        ],
        5,
      ),
  },
];

function beside(bench: Bench, load: ShopLoad): readonly Comparison[] {
  const redis = bench.tools.redis === undefined ? "redis-server" : undefined;
  const express = shopSubject({
    name: "Express, six processes",
    missing: packages(bench) ?? redis,
    open: openExpressShop,
    load,
  });
  const monolith = shopSubject({ name: "fastify monolith", missing: packages(bench), open: openMonolith, load });
  return [
    { subject: rialto(bench, load), baseline: express },
    { subject: rialto(bench, load), baseline: monolith },
  ];
}

function rialto({ tools }: Bench, load: ShopLoad): Subject {
  const missing = tools.wrk === undefined ? "wrk" : undefined;
  return shopSubject({ name: "Rialto, one process", missing, open: openRialtoShop, load });
}

function dbos(bench: Bench, load: ShopLoad): Subject {
  const open = (place: Parameters<typeof openDbosShop>[0]) => openDbosShop(place, dbosQueue);
  return shopSubject({ name: "DBOS, queue", missing: packages(bench), open, load });
}

function packages({ tools }: Bench): string | undefined {
  return tools.baselines ? undefined : "the baselines' packages";
}
