import { v7 as uuid } from "uuid";
import type { Sql, Transaction } from "../connection/connection.ts";
import { newestFirst } from "../newest-first.ts";

/** A field that a change set. Personal text is named without its values. */
export type AuditChange = {
  readonly field: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
};

/** A change by an authorized person, to be recorded. Its time and id come with the commit. */
export interface AuditRecord {
  /** "admin:<account>", or "operator". */
  readonly actor: string;
  readonly method: string;
  /** "product:<id>". */
  readonly subject: string;
  readonly changes: readonly AuditChange[];
  readonly requestId: string;
  readonly clientAddress?: string | undefined;
}

/** An entry of the audit log. */
export interface AuditEntry extends AuditRecord {
  readonly id: string;
  readonly time: Date;
}

/** Only what is given is filtered by. */
export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly subject?: string | undefined;
  readonly method?: string | undefined;
  readonly from?: Date | undefined;
  readonly before?: Date | undefined;
}

/** Writes an entry in the transaction of its change. Does nothing where there is none to write. */
export async function recordAudit(tx: Transaction, record: AuditRecord | undefined): Promise<void> {
  if (record === undefined) return;
  const { id, actor, method, subject, changes, request_id, client_address } = auditColumns(record);
  await tx`
    insert into audit_entry (id, actor, method, subject, changes, request_id, client_address)
    values (${id}, ${actor}, ${method}, ${subject}, ${JSON.stringify(changes)}::text::jsonb, ${request_id}, ${client_address})`;
}

/** The row of an entry, under an id of its own. */
export function auditColumns({ actor, method, subject, changes, requestId, clientAddress }: AuditRecord) {
  return { id: uuid(), actor, method, subject, changes, request_id: requestId, client_address: clientAddress ?? null };
}

/** The largest difference between the clocks of a process, which makes ids, and of Postgres, which makes times. */
const clocksApartMsMax = 3_600_000;

/**
 * Reads entries of the schema that `sql` sees, newest first, from after the one with that id. What a filter passes over
 * is what was done to one subject, or in the hour beside the asked time: the rest is left out by an index.
 */
export async function listAudit(
  sql: Sql,
  { actor, subject, method, from, before }: AuditFilter,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<readonly AuditEntry[]> {
  const highest = before && idAt(before.getTime() + clocksApartMsMax);
  const start = highest === undefined || (after !== undefined && after < highest) ? after : highest;
  const ofAll = [["method", "text", method] as const, ["actor", "text", actor] as const];
  const { where, order } = newestFirst(sql, subject === undefined ? ofAll : [["subject", "text", subject]], start);
  return await sql<AuditEntry[]>`
    select id, time, actor, method, subject, changes, request_id as "requestId",
      coalesce(client_address, '') as "clientAddress"
    from audit_entry
    where ${where}
      ${subject === undefined || actor === undefined ? sql`` : sql`and actor = ${actor}`}
      ${subject === undefined || method === undefined ? sql`` : sql`and method = ${method}`}
      ${from === undefined ? sql`` : sql`and time >= ${from} and id >= ${idAt(from.getTime() - clocksApartMsMax)}`}
      ${before === undefined ? sql`` : sql`and time < ${before}`}
    order by ${order} limit ${limit}`;
}

/** The lowest UUIDv7 of a time. */
function idAt(ms: number): string {
  const digits = Math.max(0, ms).toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7000-8000-000000000000`;
}

/**
 * Empties a few addresses and removes a few rows whose time is over. Answers how many were touched: 0 where nothing is
 * left to do.
 */
export async function sweepAudit(sql: Sql, o: { readonly keptDays: number }): Promise<number> {
  const [swept] = await sql<{ rows: number }[]>`select sweep_audit(${o.keptDays}) as rows`;
  return swept?.rows ?? 0;
}
