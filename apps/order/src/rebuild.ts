import { isDeepStrictEqual } from "node:util";
import { auditColumns, type Database } from "@rialto/database";
import { asc, gt, inArray, sql } from "@rialto/database/drizzle";
import { v7 as uuid } from "uuid";
import { fold, type LoggedOrderEvent } from "./order/events.ts";
import { eventFromJson } from "./order/json.ts";
import { orderOf, rowColumns, rowOf } from "./order/row.ts";
import type { Order } from "./order/state.ts";
import { auditEntry, orderEvent, orders } from "./schema.ts";

/** Orders whose rows are locked in one transaction. Few, because a page blocks the commits to its orders. */
const pageOrdersMax = 50;
const belowAll = "00000000-0000-0000-0000-000000000000";

/** An order whose row differs from its folded log. */
export interface Difference {
  readonly id: string;
  /** The fields that differ; "row" where there is no row, "log" where the log does not fold. */
  readonly fields: readonly string[];
  readonly repaired: boolean;
}

/** The result of comparing all orders with their logs. */
export interface Comparison {
  /** The number of orders compared. */
  readonly orders: number;
  readonly differences: readonly Difference[];
}

/**
 * Folds every order's log, page by page, and compares it with its row; with `repair` it writes a row that differs as
 * the log has it. Each row is compared under its lock, which every commit takes first, so no commit comes between the
 * comparison and the repair. The system runs meanwhile. A log that does not fold is reported, and its row stays.
 *
 * A decision on a wrong row that was read before the repair may still be committed, and a commit writes the whole row:
 * the wrong field comes back with it. Such a decision lives for seconds, so after a repair run it again a minute later.
 */
export async function rebuildOrders(
  { orm }: Pick<Database, "orm">,
  o: { readonly repair: boolean; onDifference?(difference: Difference): void } = { repair: false },
): Promise<Comparison> {
  const differences: Difference[] = [];
  let compared = 0;
  for (let after = belowAll; ; ) {
    const page = await orm.transaction(async (tx) => await rebuildPage(tx, after, o.repair));
    compared += page.ids.length;
    for (const difference of page.differences) {
      differences.push(difference);
      o.onDifference?.(difference);
    }
    const last = page.ids.at(-1);
    if (last === undefined || page.ids.length < pageOrdersMax) return { orders: compared, differences };
    after = last;
  }
}

type Tx = Parameters<Parameters<Database["orm"]["transaction"]>[0]>[0];
type Row = typeof orders.$inferSelect;
type LogRow = typeof orderEvent.$inferSelect;

async function rebuildPage(tx: Tx, after: string, repair: boolean) {
  const ids = await idsAfter(tx, after);
  if (ids.length === 0) return { ids, differences: [] };
  // In the order of the ids, as every commit locks them.
  const locked = await tx.select().from(orders).where(inArray(orders.id, ids)).orderBy(asc(orders.id)).for("update");
  const events = await tx
    .select()
    .from(orderEvent)
    .where(inArray(orderEvent.subjectId, ids))
    .orderBy(asc(orderEvent.subjectId), asc(orderEvent.version));
  const rows = new Map(locked.map((row) => [row.id, row]));
  const logs = Map.groupBy(events, ({ subjectId }) => subjectId);
  const differences: Difference[] = [];
  for (const id of ids) {
    const folded = foldOrUndefined(logs.get(id) ?? []);
    const fields = folded === undefined ? ["log"] : fieldsThatDiffer(rows.get(id), folded);
    if (fields.length === 0) continue;
    const repaired = repair && folded !== undefined;
    if (repaired) {
      await writeRow(tx, folded);
      await audit(tx, id, fields);
    }
    differences.push({ id, fields, repaired });
  }
  return { ids, differences };
}

/** The next ids of rows and of logs: only the log has the id of a lost row. */
async function idsAfter(tx: Tx, after: string): Promise<string[]> {
  const ofRows = tx
    .select({ id: orders.id })
    .from(orders)
    .where(gt(orders.id, after))
    .orderBy(asc(orders.id))
    .limit(pageOrdersMax);
  const ofLogs = tx
    .selectDistinct({ id: orderEvent.subjectId })
    .from(orderEvent)
    .where(gt(orderEvent.subjectId, after))
    .orderBy(asc(orderEvent.subjectId))
    .limit(pageOrdersMax);
  const found = [...(await ofRows), ...(await ofLogs)].map(({ id }) => id);
  return [...new Set(found)].sort().slice(0, pageOrdersMax);
}

function foldOrUndefined(log: readonly LogRow[]): Order | undefined {
  try {
    return fold(log.map(loggedEvent));
  } catch {
    return undefined;
  }
}

function fieldsThatDiffer(row: Row | undefined, folded: Order): string[] {
  if (row === undefined) return ["row"];
  const stored: Partial<Record<string, unknown>> = { ...orderOf(row) };
  return Object.entries(folded)
    .filter(([field, value]) => !isDeepStrictEqual(stored[field], value))
    .map(([field]) => field);
}

function loggedEvent({ subjectId, version, time, type, payload }: LogRow): LoggedOrderEvent {
  return { subjectId, version, time, event: eventFromJson(type, payload) };
}

/** Writes an order's row as its log has it, whether it exists or not. */
async function writeRow(tx: Tx, order: Order): Promise<void> {
  const columns = ["version", ...Object.keys(rowColumns)];
  const names = sql.raw(columns.join(", "));
  const values = sql.raw(columns.map((column) => `excluded.${column}`).join(", "));
  const json = JSON.stringify({ id: order.id, version: order.version, ...rowOf(order) });
  await tx.execute(sql`
    insert into orders (id, ${names})
    select id, ${names} from jsonb_populate_record(null::orders, ${json}::text::jsonb)
    on conflict (id) do update set (${names}) = row (${values})`);
}

/** Writes the audit entry of a repair, in its transaction. */
async function audit(tx: Tx, id: string, fields: readonly string[]): Promise<void> {
  const entry = auditColumns({
    actor: "operator",
    method: "rebuild",
    subject: `order:${id}`,
    changes: fields.map((field) => ({ field })),
    requestId: uuid(),
  });
  await tx.insert(auditEntry).values({
    id: entry.id,
    actor: entry.actor,
    method: entry.method,
    subject: entry.subject,
    changes: entry.changes,
    requestId: entry.request_id,
  });
}
