import { customerId } from "./keys.ts";

/** The order that every RPC row asks for. */
export const orderId = "0197f000-0000-7000-8000-0000000000f0";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What a handler without a pipeline checks itself, as the baselines do (`baselines/order.js`). */
export function isOrderId(id: string): boolean {
  return uuid.test(id);
}

/** The answer of every handler of ours. The baselines answer `baselines/order.js`, which is the same in JSON. */
export function orderAnswer(id: string) {
  return {
    order: { id, userId: customerId, status: 3, total: { currencyCode: "EUR", minorUnits: 4_250n }, version: 3 },
  } as const;
}
