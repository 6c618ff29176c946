import { type Batcher, createBatcher, type Database, isPassing, type Sql, type Transaction } from "@rialto/database";
import postgres from "postgres";
import { grantTogether, type ReserveDecision } from "./grant-together.ts";
import type { CountRefusal } from "./refusal-metrics.ts";
import {
  type FoldResult,
  foldStock,
  heldKey,
  type Reservation,
  type Stock,
  type StockDecision,
  type StockOutcome,
  type StockState,
} from "./state.ts";

/** One writer connection: two would wait for the same product rows, each with half of the group. */
const writers = 1;
const batchMax = 256;
const queueMax = 10_000;

/** Stores the stock. */
export interface StockStore {
  /** Commits a decision about an order, in a group with others that wait. */
  decide(decision: OrderDecision, o: { readonly signal: AbortSignal }): Promise<StockOutcome>;
  read(productId: string): Promise<Stock | undefined>;
  close(): Promise<void>;
}

/** A decision about the reservation of one order. */
export type OrderDecision = Exclude<StockDecision, { kind: "adjust" }>;

/** Another process has just inserted a reservation for the same order, which must be read first. */
class ReservationAppeared extends Error {
  override readonly name = "ReservationAppeared";
}

/**
 * Opens the store. Stock rows are contended, so many decisions share one transaction: it locks all their rows in one
 * global order, applies the decisions in memory, and writes each row once. Reservations that all fit need no decision
 * in memory: one statement grants them.
 */
export function createStockStore(
  { sql, writers: connections }: Pick<Database, "sql" | "writers">,
  o: {
    readonly unshippedMax: number;
    /** Nothing is counted without it. */
    readonly count?: CountRefusal | undefined;
  },
): StockStore {
  const { count } = o;
  const batcher: Batcher<OrderDecision, StockOutcome> = createBatcher({
    name: "decide stock",
    inFlightMax: writers,
    divides: true,
    batchMax,
    queueMax,
    keysOf: ({ orderId }) => [orderId],
    async send(batch) {
      const reserving = batch.filter(reserves);
      if (reserving.length === batch.length && (await grantTogether(connections, reserving, o.unshippedMax)))
        return batch.map(() => ({ kind: "DONE" }));
      return await connections.begin((tx) => applyDecisions(tx, batch, o.unshippedMax));
    },
    onFailure: (error) => {
      if (error instanceof ReservationAppeared) return "again";
      if (!(error instanceof postgres.PostgresError)) return "fail";
      // 55P03: a row is locked. Halving the batch would wait for the lock once per decision and delay all other
      // products.
      if (/^(40|55)/.test(error.code)) return "again";
      return isPassing(error) ? "fail" : "halve";
    },
  });
  return {
    decide(decision, { signal }) {
      const decided = batcher.add(decision, { signal });
      if (count === undefined) return decided;
      return decided.then((outcome) => {
        count(decision, outcome);
        return outcome;
      });
    },
    async read(productId) {
      const [row] = await readStock(sql, [productId]);
      return row;
    },
    close: () => batcher.close(),
  };
}

function reserves(decision: OrderDecision): decision is ReserveDecision {
  return decision.kind === "reserve";
}

/**
 * Applies decisions in their order. All transactions lock in the same order, which prevents deadlocks: reservations by
 * order id, then stock by product id, then new reservations by order id.
 */
export async function applyDecisions(
  tx: Transaction,
  decisions: readonly StockDecision[],
  unshippedMax = Number.POSITIVE_INFINITY,
): Promise<readonly StockOutcome[]> {
  const state = await lockState(tx, decisions, Number.isFinite(unshippedMax));
  const folded = foldStock(state, decisions, unshippedMax);
  await write(tx, state, folded);
  return folded.outcomes;
}

async function lockState(
  tx: Transaction,
  decisions: readonly StockDecision[],
  isBounded: boolean,
): Promise<StockState> {
  const orderIds = decisions.flatMap((decision) => (decision.kind === "adjust" ? [] : [decision.orderId]));
  const reservations =
    orderIds.length === 0
      ? []
      : await tx<ReservationRow[]>`
          select order_id, state, items, user_id, refusal from reservation
          where order_id = any (${orderIds}::uuid[]) order by order_id for update`;
  const productIds = new Set(reservations.flatMap(({ items }) => items.map(({ productId }) => productId)));
  for (const decision of decisions) {
    if (decision.kind === "adjust") productIds.add(decision.productId);
    if (decision.kind === "reserve") for (const { productId } of decision.items) productIds.add(productId);
  }
  const stock = productIds.size === 0 ? [] : await readStock(tx, [...productIds], tx`order by product_id for update`);
  return {
    stock: new Map(stock.map((row) => [row.productId, row])),
    reservations: new Map(reservations.map((row) => [row.order_id, reservationOf(row)])),
    held: isBounded ? await readHeld(tx, decisions) : new Map(),
  };
}

/**
 * Reads the quantities that the accounts have reserved already. This must be a separate statement after the products'
 * rows are locked, so that it sees what the previous holders of the locks committed.
 */
async function readHeld(tx: Transaction, decisions: readonly StockDecision[]): Promise<ReadonlyMap<string, number>> {
  const users = new Set<string>();
  const products = new Set<string>();
  for (const decision of decisions) {
    if (decision.kind !== "reserve" || decision.userId === undefined) continue;
    users.add(decision.userId);
    for (const { productId } of decision.items) products.add(productId);
  }
  if (users.size === 0) return new Map();
  const rows = await tx<{ userId: string; productId: string; quantity: number }[]>`
    select user_id as "userId", item."productId", sum(item.quantity)::float8 as quantity
    from reservation cross join lateral jsonb_to_recordset(items) as item ("productId" text, quantity int)
    where state = 'RESERVED' and user_id = any (${[...users]}::uuid[]) and item."productId" = any (${[...products]}::text[])
    group by 1, 2`;
  return new Map(rows.map(({ userId, productId, quantity }) => [heldKey(userId, productId), quantity]));
}

/**
 * Writes all changed rows in one statement. Existing rows are written by an upsert: the generic plan of UPDATE .. FROM,
 * made while the tables were empty, would scan a grown table.
 */
async function write(tx: Transaction, state: StockState, { stock, reservations }: FoldResult): Promise<void> {
  const changed = reservations.filter(({ orderId }) => state.reservations.has(orderId));
  const fresh = reservations.filter(({ orderId }) => !state.reservations.has(orderId));
  if (stock.length + reservations.length === 0) return;
  const [written] = await tx<{ fresh: number }[]>`
    with stocked as (
      insert into stock (product_id, on_hand, reserved, received, shipped)
      select product_id, on_hand, reserved, received, shipped
      from jsonb_to_recordset(${json(stock.map(stockRow))}::text::jsonb)
        as s (product_id uuid, on_hand int, reserved int, received bigint, shipped bigint)
      on conflict (product_id) do update
      set on_hand = excluded.on_hand, reserved = excluded.reserved, received = excluded.received, shipped = excluded.shipped),
    changed as (
      insert into reservation (order_id, state, items, user_id, refusal)
      select order_id, state, items, user_id, refusal
      from jsonb_to_recordset(${json(changed.map(reservationRow))}::text::jsonb)
        as r (order_id uuid, state text, items jsonb, user_id uuid, refusal jsonb)
      on conflict (order_id) do update set state = excluded.state, update_time = now()),
    fresh as (
      insert into reservation (order_id, state, items, user_id, refusal)
      select order_id, state, items, user_id, refusal
      from jsonb_to_recordset(${json(fresh.map(reservationRow))}::text::jsonb)
        as r (order_id uuid, state text, items jsonb, user_id uuid, refusal jsonb)
      order by order_id
      on conflict (order_id) do nothing returning 1)
    select count(*)::int as fresh from fresh`;
  if (written?.fresh !== fresh.length) throw new ReservationAppeared();
}

/** Reads the stock of these products, unordered unless `end` orders them. */
export function readStock(sql: Sql | Transaction, ids: readonly string[], end = sql``): Promise<Stock[]> {
  return sql<Stock[]>`
    select product_id as "productId", on_hand as "onHand", reserved, received, shipped
    from stock where product_id = any (${[...ids]}::uuid[]) ${end}`;
}

interface ReservationRow {
  readonly order_id: string;
  readonly state: Reservation["state"];
  readonly items: Reservation["items"];
  readonly user_id: string | null;
  readonly refusal: Extract<Reservation, { state: "REFUSED" }>["refusal"] | null;
}

function reservationOf({ order_id: orderId, state, items, user_id, refusal }: ReservationRow): Reservation {
  const userId = user_id ?? undefined;
  if (state !== "REFUSED") return { orderId, items, userId, state };
  if (refusal === null) throw new Error(`the reservation of order ${orderId} was refused without a reason`);
  return { orderId, items, userId, state, refusal };
}

function stockRow({ productId, onHand, reserved, received, shipped }: Stock) {
  return { product_id: productId, on_hand: onHand, reserved, received: String(received), shipped: String(shipped) };
}

function reservationRow(reservation: Reservation) {
  const { orderId, state, items, userId = null } = reservation;
  return {
    order_id: orderId,
    state,
    items,
    user_id: userId,
    refusal: state === "REFUSED" ? reservation.refusal : null,
  };
}

function json(rows: readonly object[]): string {
  return JSON.stringify(rows);
}
