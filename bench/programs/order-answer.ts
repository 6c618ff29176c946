import { customerId } from "./keys.ts";

/** The order that every RPC row asks for. */
export const orderId = "0197f000-0000-7000-8000-0000000000f0";

/** The answer of every handler of ours. The baselines answer `baselines/order.js`, which is the same in JSON. */
export function orderAnswer(id: string) {
  return {
    order: { id, userId: customerId, status: 3, total: { currencyCode: "EUR", minorUnits: 4_250n }, version: 3 },
  } as const;
}
