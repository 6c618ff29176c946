import { createRandom, type Random } from "./random.ts";

/** How many products there are: few, so that many orders want the same rows. */
export const productCount = 6;
export const customerCount = 24;

/** What a customer will do with one order, decided before anything runs. */
export interface OrderPlan {
  readonly n: number;
  /** The Idempotency-Key of its CreateOrder. It also stands in the order's address, so that an order tells its key by itself. */
  readonly key: string;
  readonly customer: number;
  readonly items: readonly { readonly product: number; readonly quantity: number }[];
  readonly card: Card;
  /** What happens after it was placed. RACE is a customer who cancels while the admin ships. */
  readonly course: "LEAVE" | "CANCEL" | "SHIP" | "RACE";
  readonly cancelAfterMs: number;
  /** Sends the same request once more though it was answered. */
  readonly repeats: boolean;
  readonly delivers: boolean;
  /** Of the total, in percent, given back after it was shipped; 0 is none. */
  readonly refundPercent: number;
  /** What an admin does with an order that waits for a person. */
  readonly settles: boolean;
  /** Waits, keys of later requests. */
  readonly random: Random;
}

const cards = {
  pm_test_approved: 66,
  pm_test_declined: 7,
  pm_test_insufficient_funds: 3,
  pm_test_slow: 6,
  pm_test_unreachable: 6,
  pm_test_unknown_outcome: 7,
  pm_test_capture_refused: 3,
  pm_test_authorization_expired: 2,
} as const;

type Card = keyof typeof cards;

/** Plans the order with this number. */
export function planOrder(seed: number, n: number): OrderPlan {
  const random = createRandom(seed, `order ${n}`);
  const products = random.shuffled(Array.from({ length: productCount }, (_, product) => product));
  return {
    n,
    key: random.uuid(),
    customer: random.int(0, customerCount - 1),
    items: products.slice(0, random.int(1, 3)).map((product) => ({ product, quantity: random.int(1, 3) })),
    card: random.weighted(cards),
    course: random.weighted({ LEAVE: 34, CANCEL: 22, SHIP: 34, RACE: 10 }),
    cancelAfterMs: random.weighted({ atOnce: 1, soon: 1, later: 1 }) === "atOnce" ? 0 : random.int(0, 3_000),
    repeats: random.chance(0.1),
    delivers: random.chance(0.5),
    refundPercent: random.chance(0.3) ? random.pick([20, 50, 100]) : 0,
    settles: random.chance(0.5),
    random,
  };
}

/**
 * Deliveries of stock: so much at the start, and so much after this many orders were begun. Together they are less than half of
 * what the orders want, so that every product runs out again and again.
 */
export function planDeliveries(orders: number): readonly { readonly afterOrders: number; readonly each: number }[] {
  // 2 lines of 2 pieces an order, over the products.
  const wantedOfEach = (orders * 4) / productCount;
  return [0, 0.2, 0.4, 0.6, 0.8].map((share) => ({
    afterOrders: Math.floor(orders * share),
    each: Math.max(2, Math.floor(wantedOfEach * 0.085)),
  }));
}
