import { createRandom, type Random } from "./random.ts";

/** Few products, so that many orders contend for the same rows. */
export const productCount = 6;
export const customerCount = 24;

/** What a customer does with one order, decided before the run. */
export interface OrderPlan {
  readonly n: number;
  /**
   * The Idempotency-Key of its CreateOrder. The order's address contains it too, so that the order can be matched to
   * it.
   */
  readonly key: string;
  readonly customer: number;
  readonly items: readonly { readonly product: number; readonly quantity: number }[];
  readonly card: Card;
  /** What happens after it was placed. RACE: the customer cancels while the admin ships. */
  readonly scenario: "LEAVE" | "CANCEL" | "SHIP" | "RACE";
  readonly cancelAfterMs: number;
  /** Sends the same request again after its response. */
  readonly repeats: boolean;
  readonly delivers: boolean;
  /** The refund after shipping, in percent of the total; 0 for none. */
  readonly refundPercent: number;
  /** Whether an admin resolves the order if it needs attention. */
  readonly settles: boolean;
  /** For delays and the keys of later requests. */
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
    scenario: random.weighted({ LEAVE: 34, CANCEL: 22, SHIP: 34, RACE: 10 }),
    cancelAfterMs: random.weighted({ atOnce: 1, soon: 1, later: 1 }) === "atOnce" ? 0 : random.int(0, 3_000),
    repeats: random.chance(0.1),
    delivers: random.chance(0.5),
    refundPercent: random.chance(0.3) ? random.pick([20, 50, 100]) : 0,
    settles: random.chance(0.5),
    random,
  };
}

/**
 * Deliveries of stock, at the start and after numbers of orders. Together they cover less than half of the demand, so
 * that every product runs out repeatedly.
 */
export function planDeliveries(orders: number): readonly { readonly afterOrders: number; readonly each: number }[] {
  // 2 items of 2 pieces per order, spread over the products.
  const wantedOfEach = (orders * 4) / productCount;
  return [0, 0.2, 0.4, 0.6, 0.8].map((share) => ({
    afterOrders: Math.floor(orders * share),
    each: Math.max(2, Math.floor(wantedOfEach * 0.085)),
  }));
}
