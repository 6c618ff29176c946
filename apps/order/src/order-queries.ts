import type { Database } from "@rialto/database";
import { and, asc, desc, eq, getTableColumns, gt, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import type { LoggedFact, Order, Status } from "./order.ts";
import { factFromJson } from "./order-json.ts";
import { orderOf } from "./order-row.ts";
import { orderEvent, orders } from "./schema.ts";

/** Above every UUID that an order can have: where a list that goes downwards begins. */
const aboveAll = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** One entry of an order's log, with who did it. */
export interface HistoryEntry extends LoggedFact {
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
}

/** Which orders a list is about. */
export interface OrderFilter {
  readonly userId: string | undefined;
  readonly status: Status | undefined;
  /** Only those that wait for a person. */
  readonly attention: boolean;
}

/** A place in the list of stalled orders. */
export interface StalledKey {
  readonly updateTime: Date;
  readonly id: string;
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
  /** Orders that are not at rest and were not touched since, longest first. */
  stalled(o: {
    readonly before: Date;
    readonly after: StalledKey | undefined;
    readonly limit: number;
  }): Promise<StalledKey[]>;
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
        fact: factFromJson(row.type, row.payload),
        actor: row.actor,
        reason: row.reason,
        traceparent: row.traceparent,
      }));
    },
    async changed(known) {
      const rows = await changed.execute({ ids: [...known.keys()], versions: [...known.values()] });
      return rows.map(orderOf);
    },
    async stalled({ before, after, limit }) {
      // The first two lines of the condition are the predicate of the index orders_moving, word for word.
      return text<StalledKey[]>`
        select id, update_time as "updateTime" from orders
        where attention_reason is null
          and (status in ('PENDING', 'STOCK_RESERVED') or pending_action is not null)
          and update_time < ${before}
          and (update_time, id) > (${after?.updateTime ?? new Date(0)}, ${after?.id ?? "00000000-0000-0000-0000-000000000000"}::uuid)
        order by update_time, id limit ${limit}`;
    },
  };
}
