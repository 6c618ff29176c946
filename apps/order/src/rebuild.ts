import { isDeepStrictEqual } from "node:util";
import { auditColumns, type Database } from "@rialto/database";
import { asc, gt, inArray, sql } from "drizzle-orm";
import { v7 as uuid } from "uuid";
import { fold, type LoggedOrderEvent } from "./order/events.ts";
import { eventFromJson } from "./order/json.ts";
import { orderOf, rowColumns, rowOf } from "./order/row.ts";
import type { Order } from "./order/state.ts";
import { auditEntry, orderEvent, orders } from "./schema.ts";

/** Orders whose rows are locked in one transaction. Few: whoever wants to commit to one of them waits for as long as the page takes. */
const pageOrdersMax = 50;
const belowAll = "00000000-0000-0000-0000-000000000000";

/** An order whose row is not its log, folded. */
export interface Difference {
  readonly id: string;
  /** What differs: fields of the order; "row" where there is none, "log" where the log does not fold. */
  readonly fields: readonly string[];
  readonly repaired: boolean;
}

/** What a comparison of all orders with their logs has found. */
export interface Comparison {
  /** How many were compared. */
  readonly orders: number;
  readonly differences: readonly Difference[];
}

/**
 * Folds every order's log, page by page, and compares it with its row; with `repair` a row that differs is written as the log has it. Each row is
 * compared under its lock, which every commit takes first: so row and log are of one moment, and nobody commits to a row between the look and the
 * repair. The system runs meanwhile. A log that does not fold is told of and left as it is: there is nothing to write.
 *
 * Whoever read a wrong row before its repair may still commit on it, and a commit writes the whole row: the wrong field comes back with it. Such a
 * decision lives for seconds, so where something was repaired, a run a minute later has the last word.
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

/** The next ids, of rows and of logs alike: a row that was lost is missed by its log alone. */
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

/** Writes an order's row as it should be, whether there is one or not. */
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

/** Says in the audit log that an operator had a row repaired, in the commit of the repair. */
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
