import type { CancelSignal } from "@rialto/async";
import {
  aboveAll,
  claimAttempts,
  createRowLoader,
  type Database,
  needsAttention,
  newestFirstBy,
  ReadOnlyServer,
} from "@rialto/database";
import { and, asc, eq, getTableColumns, gt, sql } from "@rialto/database/drizzle";
import { hasCheckoutWork, orderEvent, orders } from "../schema.ts";
import type { OrderStatus } from "../statuses.ts";
import type { LoggedOrderEvent } from "./events.ts";
import { eventFromJson } from "./json.ts";
import { orderOf } from "./row.ts";
import type { Order } from "./state.ts";

/** Pauses between two attempts to resume an order. */
const stalledDelayMsMin = 10_000;
const stalledDelayMsMax = 60_000;

/** An event of an order's log, with who caused it and why. */
export interface HistoryEntry extends LoggedOrderEvent {
  readonly actor: string;
  readonly reason: string;
  readonly traceparent: string;
}

/** Narrows a list of orders. Undefined fields do not. */
export interface OrderFilter {
  readonly userId: string | undefined;
  readonly status: OrderStatus | undefined;
  /** Only those that wait for a person. */
  readonly attention: boolean;
}

/** The reads of the order store. */
export interface OrderQueries {
  /** Orders that are read at the same moment travel in one statement. */
  read(id: string, o?: { readonly signal?: CancelSignal }): Promise<Order | undefined>;
  /**
   * Reads an order in order to decide what becomes of it, which may be nothing. Throws `ReadOnlyServer` where the
   * server takes no writes: after a switchover a connection that was left open leads to the old server, whose orders
   * are behind, and an event that changes nothing there may change something on the new one. What is asked for at the
   * same moment is read by one statement.
   */
  readToDecide(id: string, o?: { readonly signal?: CancelSignal | undefined }): Promise<Order | undefined>;
  /** Returns orders, newest first, that come after the order with that id. */
  list(filter: OrderFilter, page: { readonly after: string | undefined; readonly limit: number }): Promise<Order[]>;
  /** Returns an order's log, oldest event first, after that version. */
  history(orderId: string, page: { readonly after: number; readonly limit: number }): Promise<HistoryEntry[]>;
  /** Returns those of these orders that have a newer version than the known one. */
  changed(known: ReadonlyMap<string, number>): Promise<Order[]>;
  /**
   * Claims orders that the checkout has work for and that did not change since then. Those whose next attempt is due
   * first come first. Each claim postpones the order's next attempt, longer each time until the order changes, so that
   * orders that always fail do not block the others.
   */
  claimStalled(o: { readonly untouchedSince: Date; readonly limit: number }): Promise<readonly string[]>;
}

/** Prepares the queries. */
export function createOrderQueries({
  orm,
  sql: text,
  renew,
  freezesShared: freezes,
}: Pick<Database, "orm" | "sql" | "renew" | "freezesShared">): OrderQueries {
  const param = sql.placeholder;
  const byIds = orm
    .select()
    .from(orders)
    .where(sql`${orders.id} = any (${param("ids")}::uuid[])`)
    .prepare("orders_by_id");
  const toShow = createRowLoader({ read: (ids) => byIds.execute({ ids }), idOf: ({ id }) => id, freezes });

  const server = sql`(select current_setting('transaction_read_only')::boolean as read_only) as server`;
  const byIdsToDecide = orm
    .select({ readOnly: sql<boolean>`server.read_only`, order: getTableColumns(orders) })
    .from(server)
    .leftJoin(orders, sql`${orders.id} = any (${param("ids")}::uuid[])`)
    .prepare("orders_by_id_to_decide");
  const toDecide = createRowLoader({
    async read(ids) {
      const rows = await byIdsToDecide.execute({ ids });
      if (rows[0] === undefined || rows[0].readOnly) {
        renew();
        throw new ReadOnlyServer();
      }
      return rows.flatMap(({ order }) => order ?? []);
    },
    idOf: ({ id }) => id,
    freezes,
  });

  // Each has an index of its own (schema.ts).
  const listsBy = (name: string, onlyAttention: boolean) => {
    const byUser = [orders.userId, param("userId")] as const;
    const byStatus = [orders.status, param("status")] as const;
    const kinds = [
      { equal: [], waits: needsAttention.all },
      { equal: [byUser], waits: needsAttention.byUser },
      { equal: [byStatus], waits: needsAttention.byStatus },
      { equal: [byStatus, byUser], waits: needsAttention.byStatusAndUser },
    ];
    return kinds.map(({ equal, waits }, at) => {
      const { where, order } = newestFirstBy(equal, orders.id, param("after"));
      return orm
        .select()
        .from(orders)
        .where(and(where, onlyAttention ? sql.raw(waits) : undefined))
        .orderBy(...order)
        .limit(param("limit"))
        .prepare(`${name}_${at}`);
    });
  };
  const lists = [...listsBy("orders", false), ...listsBy("orders_attention", true)];

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
    async read(id, o) {
      const row = await toShow.load(id, o);
      return row && orderOf(row);
    },
    async readToDecide(id, o) {
      const row = await toDecide.load(id, o);
      return row && orderOf(row);
    },
    async list({ userId, status, attention }, { after, limit }) {
      // Each filter that is set is a bit of the index.
      const which = (userId === undefined ? 0 : 1) + (status === undefined ? 0 : 2) + (attention ? 4 : 0);
      const rows = (await lists[which]?.execute({ after: after ?? aboveAll, limit, userId, status })) ?? [];
      return rows.map(orderOf);
    },
    async history(orderId, page) {
      const rows = await log.execute({ orderId, ...page });
      return rows.map((row) => ({
        subjectId: row.subjectId,
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
        among: text.unsafe(hasCheckoutWork),
        delayMsMin: stalledDelayMsMin,
        delayMsMax: stalledDelayMsMax,
      });
      return claimed.map(({ id }) => id);
    },
  };
}
