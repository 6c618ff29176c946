import { claimAttempts, type Database } from "@rialto/database";
import { and, asc, desc, eq, getTableColumns, gt, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { orderEvent, orders } from "../schema.ts";
import { eventFromJson } from "./json.ts";
import { orderOf } from "./row.ts";
import type { LoggedEvent, Order, OrderStatus } from "./state.ts";

/** Above every UUID that an order can have: where a list that goes downwards begins. */
const aboveAll = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** Pauses between two tries to bring a stalled order to rest. */
const stalledDelayMsMin = 10_000;
const stalledDelayMsMax = 60_000;

/** One entry of an order's log, with who did it. */
export interface HistoryEntry extends LoggedEvent {
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
}

/** Which orders a list is about. */
export interface OrderFilter {
  readonly userId: string | undefined;
  readonly status: OrderStatus | undefined;
  /** Only those that wait for a person. */
  readonly attention: boolean;
}

/** What is asked of the orders that are stored. */
export interface OrderQueries {
  read(id: string): Promise<Order | undefined>;
  /** Newest first, from after the order with that id. */
  list(filter: OrderFilter, page: { readonly after: string | undefined; readonly limit: number }): Promise<Order[]>;
  /** Oldest first, from after that version. */
  history(orderId: string, page: { readonly after: number; readonly limit: number }): Promise<HistoryEntry[]>;
  /** Those of these orders that have moved past the version that is known of them. */
  changed(known: ReadonlyMap<string, number>): Promise<Order[]>;
  /**
   * Takes orders that are not at rest and were not touched since, to bring them to rest: those first whose turn came first. Each is taken again only
   * after a pause that grows as long as nothing moves it, so one that always fails does not stand before the others.
   */
  claimStalled(o: { readonly untouchedSince: Date; readonly limit: number }): Promise<readonly string[]>;
}

/** What a list of orders can be narrowed down by. */
type ListPart = "user" | "status" | "attention";

/** The queries of the order service, each prepared once. */
export function createOrderQueries({ orm, sql: text }: Pick<Database, "orm" | "sql">): OrderQueries {
  const param = sql.placeholder;
  const byId = orm
    .select()
    .from(orders)
    .where(eq(orders.id, param("id")))
    .prepare("order_by_id");

  const listBy = (...parts: readonly ListPart[]) =>
    orm
      .select()
      .from(orders)
      .where(and(lt(orders.id, param("after")), ...parts.map((part) => conditions[part])))
      .orderBy(desc(orders.id))
      .limit(param("limit"))
      .prepare(["orders", ...parts].join("_"));
  const conditions: Readonly<Record<ListPart, SQL>> = {
    user: eq(orders.userId, param("userId")),
    status: eq(orders.status, param("status")),
    attention: isNotNull(orders.attentionReason),
  };
  const lists = [
    listBy(),
    listBy("user"),
    listBy("status"),
    listBy("user", "status"),
    listBy("attention"),
    listBy("user", "attention"),
    listBy("status", "attention"),
    listBy("user", "status", "attention"),
  ] as const;

  const log = orm
    .select()
    .from(orderEvent)
    .where(and(eq(orderEvent.subjectId, param("orderId")), gt(orderEvent.version, param("after"))))
    .orderBy(asc(orderEvent.version))
    .limit(param("limit"))
    .prepare("order_log");

  const changed = orm
    .select(getTableColumns(orders))
    .from(orders)
    .innerJoin(
      sql`unnest(${param("ids")}::uuid[], ${param("versions")}::int[]) as known (id, version)`,
      sql`known.id = ${orders.id} and known.version < ${orders.version}`,
    )
    .prepare("orders_changed");

  return {
    async read(id) {
      const [row] = await byId.execute({ id });
      return row && orderOf(row);
    },
    async list({ userId, status, attention }, { after = aboveAll, limit }) {
      // Each filter that is set is a bit: the lists stand in the order of these numbers, so there is one for each.
      const which = (userId === undefined ? 0 : 1) + (status === undefined ? 0 : 2) + (attention ? 4 : 0);
      const rows = (await lists[which]?.execute({ after, limit, userId, status })) ?? [];
      return rows.map(orderOf);
    },
    async history(orderId, page) {
      const rows = await log.execute({ orderId, ...page });
      return rows.map((row) => ({
        orderId: row.subjectId,
        version: row.version,
        time: row.time,
        event: eventFromJson(row.type, row.payload),
        actor: row.actor,
        reason: row.reason,
        traceparent: row.traceparent,
      }));
    },
    async changed(known) {
      const rows = await changed.execute({ ids: [...known.keys()], versions: [...known.values()] });
      return rows.map(orderOf);
    },
    async claimStalled(o) {
      const claimed = await claimAttempts<{ id: string }>(text, {
        ...o,
        table: "orders",
        // The predicate of the index orders_stalled, word for word.
        among: text`attention_reason is null and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null)`,
        delayMsMin: stalledDelayMsMin,
        delayMsMax: stalledDelayMsMax,
      });
      return claimed.map(({ id }) => id);
    },
  };
}
