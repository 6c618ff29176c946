import { catalogLoad, orderAcceptedLoad, orderByIdLoad, orderConfirmedLoad } from "../load/shop-load.ts";
import type { Comparison } from "../measure/compare.ts";
import type { ShopLoad } from "../subjects/shop.ts";
import type { Bench } from "../subjects/subject.ts";
import { type Row, withBefore } from "./row.ts";
import { dbosShop, expressShop, monolithShop, oneStatement, rialtoShop } from "./shops.ts";

/** The whole of Rialto in one process, through its gateway, beside other shops: reads, and orders. */
export const shopRows: readonly Row[] = [
  { name: "order-by-id", comparisons: (bench) => withBefore(bench, () => beside(bench, orderByIdLoad), 4) },
  { name: "catalog", comparisons: (bench) => withBefore(bench, () => beside(bench, catalogLoad), 3) },
  {
    name: "order-accepted",
    comparisons: (bench) =>
      withBefore(bench, () => [
        ...besideAll(bench, orderAcceptedLoad),
        { subject: rialtoShop(bench, orderAcceptedLoad), baseline: oneStatement(bench) },
      ]),
  },
  {
    name: "order-confirmed",
    comparisons: (bench) => withBefore(bench, () => besideAll(bench, orderConfirmedLoad), 5),
  },
];

function beside(bench: Bench, load: ShopLoad): readonly Comparison[] {
  const subject = rialtoShop(bench, load);
  return [expressShop(bench, load), monolithShop(bench, load)].map((baseline) => ({ subject, baseline }));
}

function besideAll(bench: Bench, load: ShopLoad): readonly Comparison[] {
  return [...beside(bench, load), { subject: rialtoShop(bench, load), baseline: dbosShop(bench, load) }];
}
