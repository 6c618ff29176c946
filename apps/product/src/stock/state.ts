/** The stock of one product. available = onHand - reserved. */
export interface Stock {
  readonly productId: string;
  readonly onHand: number;
  readonly reserved: number;
  /** The sums of all adjustments and of all committed reservations: onHand + shipped = received. */
  readonly received: bigint;
  readonly shipped: bigint;
}

export interface Item {
  readonly productId: string;
  readonly quantity: number;
}

/** The reservation of an order. REFUSED and RELEASED are final. */
export type Reservation = {
  readonly orderId: string;
  readonly items: readonly Item[];
  /** The user of the order; undefined for reservations of version 0.1. */
  readonly userId?: string | undefined;
} & (
  | { readonly state: "RESERVED" | "RELEASED" | "COMMITTED" }
  | { readonly state: "REFUSED"; readonly refusal: Refusal }
);

export interface Refusal {
  readonly reason: "OUT_OF_STOCK" | "PRODUCT_NOT_FOUND" | "QUANTITY_LIMIT";
  readonly productId: string;
}

/** A decision to apply to the stock. */
export type StockDecision =
  | {
      readonly kind: "reserve";
      readonly orderId: string;
      readonly items: readonly Item[];
      readonly userId?: string | undefined;
    }
  | { readonly kind: "release"; readonly orderId: string }
  | { readonly kind: "commit"; readonly orderId: string }
  | { readonly kind: "adjust"; readonly productId: string; readonly delta: number };

/** The outcome of a decision. */
export type StockOutcome =
  | { readonly kind: "DONE" }
  | {
      readonly kind: "REFUSED";
      readonly reason:
        | Refusal["reason"]
        | "STOCK_BELOW_RESERVED"
        | "STOCK_TOO_LARGE"
        | "RESERVATION_RELEASED"
        | "RESERVATION_COMMITTED"
        | "RESERVATION_NOT_FOUND";
      readonly productId?: string;
    };

/** The stock and reservations that a batch of decisions affects. */
export interface StockState {
  readonly stock: ReadonlyMap<string, Stock>;
  readonly reservations: ReadonlyMap<string, Reservation>;
  /** The reserved quantity per account and product, by `heldKey`. */
  readonly held: ReadonlyMap<string, number>;
}

/** The key of an account and a product in `StockState.held`. */
export function heldKey(userId: string, productId: string): string {
  return `${userId} ${productId}`;
}

export interface FoldResult {
  readonly outcomes: readonly StockOutcome[];
  /** The changed rows, each once. */
  readonly stock: readonly Stock[];
  readonly reservations: readonly Reservation[];
}

const onHandMax = 2_147_483_647;
const done: StockOutcome = { kind: "DONE" };

/**
 * Applies decisions in their order to the rows that they change, as if each was committed on its own. An order gets all
 * of its items or none, and no account has more than `unshippedMax` of a product reserved. Pure: the caller locks the
 * rows and writes the result. While a product's row is locked, no reservation of it changes.
 */
export function foldStock(
  state: StockState,
  decisions: readonly StockDecision[],
  unshippedMax = Number.POSITIVE_INFINITY,
): FoldResult {
  const held = new Map(state.held);
  const stock = new Map<string, Stock>();
  const reservations = new Map<string, Reservation>();
  const stockOf = (id: string) => stock.get(id) ?? state.stock.get(id);
  const reservationOf = (id: string) => reservations.get(id) ?? state.reservations.get(id);

  function decide(decision: StockDecision): StockOutcome {
    switch (decision.kind) {
      case "reserve":
        return reserve(decision.orderId, mergedItems(decision.items), decision.userId);
      case "release":
        return release(decision.orderId);
      case "commit":
        return commit(decision.orderId);
      case "adjust":
        return adjust(decision.productId, decision.delta);
    }
  }

  function reserve(orderId: string, items: readonly Item[], userId: string | undefined): StockOutcome {
    const known = reservationOf(orderId);
    if (known !== undefined) return repeatedOutcome(known);
    const refusal = firstUnavailable(items) ?? exceededLimit(items, userId);
    if (refusal !== undefined) {
      reservations.set(orderId, { orderId, items, userId, state: "REFUSED", refusal });
      return { kind: "REFUSED", ...refusal };
    }
    for (const { productId, quantity } of items) change(productId, { reserved: quantity });
    reservations.set(orderId, { orderId, items, userId, state: "RESERVED" });
    countHeld(userId, items, 1);
    return done;
  }

  function exceededLimit(items: readonly Item[], userId: string | undefined): Refusal | undefined {
    if (userId === undefined) return undefined;
    const past = items.find(
      ({ productId, quantity }) => (held.get(heldKey(userId, productId)) ?? 0) + quantity > unshippedMax,
    );
    return past && { reason: "QUANTITY_LIMIT", productId: past.productId };
  }

  function countHeld(userId: string | undefined, items: readonly Item[], sign: 1 | -1): void {
    if (userId === undefined) return;
    for (const { productId, quantity } of items) {
      const key = heldKey(userId, productId);
      held.set(key, (held.get(key) ?? 0) + sign * quantity);
    }
  }

  function firstUnavailable(items: readonly Item[]): Refusal | undefined {
    for (const { productId, quantity } of items) {
      const row = stockOf(productId);
      if (row === undefined) return { reason: "PRODUCT_NOT_FOUND", productId };
      if (row.onHand - row.reserved < quantity) return { reason: "OUT_OF_STOCK", productId };
    }
    return undefined;
  }

  function release(orderId: string): StockOutcome {
    const known = reservationOf(orderId);
    if (known?.state === "COMMITTED") return { kind: "REFUSED", reason: "RESERVATION_COMMITTED" };
    // A refused reservation holds nothing and stays refused, so it serves as its own tombstone.
    if (known?.state === "RELEASED" || known?.state === "REFUSED") return done;
    const items = known?.items ?? [];
    for (const { productId, quantity } of items) change(productId, { reserved: -quantity });
    countHeld(known?.userId, items, -1);
    reservations.set(orderId, { orderId, items, userId: known?.userId, state: "RELEASED" });
    return done;
  }

  function commit(orderId: string): StockOutcome {
    const known = reservationOf(orderId);
    if (known?.state === "COMMITTED") return done;
    if (known?.state === "RELEASED") return { kind: "REFUSED", reason: "RESERVATION_RELEASED" };
    if (known?.state !== "RESERVED") return { kind: "REFUSED", reason: "RESERVATION_NOT_FOUND" };
    for (const { productId, quantity } of known.items) {
      change(productId, { reserved: -quantity, onHand: -quantity, shipped: quantity });
    }
    countHeld(known.userId, known.items, -1);
    reservations.set(orderId, { ...known, state: "COMMITTED" });
    return done;
  }

  function adjust(productId: string, delta: number): StockOutcome {
    const row = stockOf(productId);
    if (row === undefined) return { kind: "REFUSED", reason: "PRODUCT_NOT_FOUND", productId };
    if (row.onHand + delta < row.reserved) return { kind: "REFUSED", reason: "STOCK_BELOW_RESERVED", productId };
    if (row.onHand + delta > onHandMax) return { kind: "REFUSED", reason: "STOCK_TOO_LARGE", productId };
    change(productId, { onHand: delta, received: delta });
    return done;
  }

  function change(
    productId: string,
    by: Partial<Record<"onHand" | "reserved" | "received" | "shipped", number>>,
  ): void {
    const row = stockOf(productId);
    if (row === undefined) throw new Error(`the stock of ${productId} was not read`);
    stock.set(productId, {
      productId,
      onHand: row.onHand + (by.onHand ?? 0),
      reserved: row.reserved + (by.reserved ?? 0),
      received: row.received + BigInt(by.received ?? 0),
      shipped: row.shipped + BigInt(by.shipped ?? 0),
    });
  }

  const outcomes = decisions.map(decide);
  return { outcomes, stock: [...stock.values()], reservations: [...reservations.values()] };
}

/** The outcome of a repeated reservation: the same as the first time, or that it comes too late. */
function repeatedOutcome(known: Reservation): StockOutcome {
  if (known.state === "REFUSED") return { kind: "REFUSED", ...known.refusal };
  return known.state === "RELEASED" ? { kind: "REFUSED", reason: "RESERVATION_RELEASED" } : done;
}

/** Merges the quantities of each product. */
export function mergedItems(items: readonly Item[]): readonly Item[] {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of items) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
  return [...quantities].map(([productId, quantity]) => ({ productId, quantity }));
}
