import { catalogLoad, orderAcceptedLoad, orderByIdLoad, orderConfirmedLoad } from "../load/shop-load.ts";
import type { Comparison } from "../measure/compare.ts";
import { openExpressShop, openMonolith } from "../subjects/baseline-shop.ts";
import { openRialtoShop } from "../subjects/rialto-shop.ts";
import { type ShopLoad, shopSubject } from "../subjects/shop.ts";
import type { Bench, Subject } from "../subjects/subject.ts";
import { type Row, withBefore } from "./row.ts";

/** The whole of Rialto in one process, through its gateway, beside other shops: reads, and orders. */
export const shopRows: readonly Row[] = [
  { name: "order-by-id", comparisons: (bench) => withBefore(bench, () => beside(bench, orderByIdLoad)) },
  { name: "catalog", comparisons: (bench) => withBefore(bench, () => beside(bench, catalogLoad)) },
  { name: "order-accepted", comparisons: (bench) => withBefore(bench, () => beside(bench, orderAcceptedLoad)) },
  { name: "order-confirmed", comparisons: (bench) => withBefore(bench, () => beside(bench, orderConfirmedLoad)) },
];

function beside(bench: Bench, load: ShopLoad): readonly Comparison[] {
  const { tools } = bench;
  const missing = tools.wrk === undefined ? "wrk" : undefined;
  const packages = tools.baselines ? undefined : "the baselines' packages";
  const rialto: Subject = shopSubject({ name: "Rialto, one process", missing, open: openRialtoShop, load });
  const express = shopSubject({
    name: "Express, six processes",
    missing: packages ?? (tools.redis === undefined ? "redis-server" : undefined),
    open: openExpressShop,
    load,
  });
  const monolith = shopSubject({ name: "fastify monolith", missing: packages, open: openMonolith, load });
  return [
    { subject: rialto, baseline: express },
    { subject: rialto, baseline: monolith },
  ];
}
