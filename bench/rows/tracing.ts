import { orderConfirmedLoad } from "../load/shop-load.ts";
import { openTracedShop } from "../subjects/rialto-shop.ts";
import { shopSubject } from "../subjects/shop.ts";
import type { Bench, Subject } from "../subjects/subject.ts";
import type { Row } from "./row.ts";

/** 1 / 1.03: tracing may add 3 % to an order where one trace of a hundred is recorded. */
const ratioMin = 0.971;

/** Orders confirmed by all of Rialto in one process: nothing traced, one trace of a hundred, and each. */
export const tracingRow: Row = {
  name: "tracing",
  pairs: 15,
  comparisons: (bench) => [
    { subject: traced(bench, 0.01), baseline: traced(bench, undefined), atLeast: ratioMin },
    { subject: traced(bench, 1), baseline: traced(bench, undefined) },
  ],
};

function traced({ tools }: Bench, ratio: number | undefined): Subject {
  return shopSubject({
    name: ratio === undefined ? "Rialto, not traced" : `Rialto, ${ratio * 100} % traced`,
    missing: tools.wrk === undefined ? "wrk" : undefined,
    open: (place) => openTracedShop(place, ratio),
    load: orderConfirmedLoad,
  });
}
