import { isDeepStrictEqual } from "node:util";
import type { Database } from "@rialto/database";
import { asc, gt, inArray } from "drizzle-orm";
import { fold, type LoggedFact } from "./order.ts";
import { factFromJson } from "./order-json.ts";
import { orderOf } from "./order-row.ts";
import { orderEvent, orders } from "./schema.ts";

/** Orders folded in one transaction, with their whole logs in memory. */
const pageOrdersMax = 200;

/** What a comparison of all orders with their logs has found. */
export interface Comparison {
  /** How many were compared. */
  readonly orders: number;
  /** The ids of those whose log folds to something else than their row, or does not fold. */
  readonly differing: readonly string[];
}

/**
 * Folds every order's log and compares it with the stored row. Row and log are read in one snapshot, so the system may run meanwhile.
 */
export async function foldMatchesRows({ orm }: Pick<Database, "orm">): Promise<Comparison> {
  const differing: string[] = [];
  let compared = 0;
  for (let after = "00000000-0000-0000-0000-000000000000"; ; ) {
    const page = await readPage(orm, after);
    for (const { row, log } of page) if (!matches(row, log)) differing.push(row.id);
    compared += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < pageOrdersMax) return { orders: compared, differing };
    after = last.row.id;
  }
}

type Row = typeof orders.$inferSelect;
type LogRow = typeof orderEvent.$inferSelect;

function readPage(orm: Database["orm"], after: string): Promise<{ row: Row; log: LogRow[] }[]> {
  return orm.transaction(
    async (tx) => {
      const rows = await tx
        .select()
        .from(orders)
        .where(gt(orders.id, after))
        .orderBy(asc(orders.id))
        .limit(pageOrdersMax);
      const ids = rows.map(({ id }) => id);
      if (ids.length === 0) return [];
      const events = await tx
        .select()
        .from(orderEvent)
        .where(inArray(orderEvent.subjectId, ids))
        .orderBy(asc(orderEvent.subjectId), asc(orderEvent.version));
      const logs = Map.groupBy(events, ({ subjectId }) => subjectId);
      return rows.map((row) => ({ row, log: logs.get(row.id) ?? [] }));
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );
}

function matches(row: Row, log: readonly LogRow[]): boolean {
  try {
    return isDeepStrictEqual(fold(log.map(loggedFact)), orderOf(row));
  } catch {
    // A log that does not fold is a difference like any other: the report names the order.
    return false;
  }
}

function loggedFact({ subjectId, version, time, type, payload }: LogRow): LoggedFact {
  return { orderId: subjectId, version, time, fact: factFromJson(type, payload) };
}
