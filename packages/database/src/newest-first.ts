import type { AnyColumn, SQL } from "drizzle-orm";
import type postgres from "postgres";
import type { Sql } from "./connection/connection.ts";
import { desc, sql as text } from "./drizzle.ts";

/*
 * The rows of a list with some columns equal to given values, newest first, after one row. Ids are UUIDv7, so they
 * ascend with time.
 *
 * The planner can read them in one order only, that of the index on (the columns, id), which has the rows of the page
 * side by side. Said as `user_id = $1 and id < $2 order by id desc`, the index on the id alone gives the order too. The
 * planner takes that one where the value is common, because it expects common values everywhere, and then reads all
 * that was written since the last row with the value: the orders of a month, to show those of a customer who placed
 * none in it. So equality is said as a range of rows, and the order is that of all the columns:
 *
 *     where (user_id, id) < ((select $1), (select $2)) and (user_id) >= ((select $1))
 *     order by user_id desc, id desc
 *
 * A value in a select is not known to the planner, which then expects a ninth of the table. Of the value itself it
 * would say how many rows lie below and above, and find few of them for one at the edge; few rows it collects and
 * sorts, and there may be a million. For the same reason the column with the fewest values comes first in an index of
 * two: by one that begins with the user, the planner would sort what it thinks is one user's handful.
 */

/** Above every UUID that a row can have: where a list begins. */
export const aboveAll = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** A part of a statement. */
type Part = postgres.PendingQuery<postgres.Row[]>;

/** A column that the index begins with, and its value; one without a value is left out. */
type Equal = readonly [column: string, type: "uuid" | "text", value: string | undefined];

/**
 * Returns the condition and the order of such a list in named SQL. `equal` has the columns in the order of the index.
 *
 *     const { where, order } = newestFirst(sql, [["user_id", "uuid", userId]], after);
 *     sql`select * from notification where ${where} order by ${order} limit ${limit}`
 */
export function newestFirst(sql: Sql, equal: readonly Equal[], after = aboveAll) {
  const given = equal.filter(([, , value]) => value !== undefined);
  const join = (parts: readonly Part[]): Part =>
    parts.reduce((all, part, at) => (at === 0 ? part : sql`${all}, ${part}`), sql``);
  const columns = given.map(([column]) => sql`${sql(column)}`);
  const values = given.map(([, type, value]) => sql`(select ${value ?? null}::${sql.unsafe(type)})`);
  const before = sql`(${join([...columns, sql`id`])}) < (${join([...values, sql`(select ${after}::uuid)`])})`;
  return {
    where: given.length === 0 ? before : sql`${before} and (${join(columns)}) >= (${join(values)})`,
    order: join([...columns, sql`id`].map((column) => sql`${column} desc`)),
  };
}

/** Returns the same for a query of Drizzle. Values may be placeholders. */
export function newestFirstBy(
  equal: readonly (readonly [column: AnyColumn, value: unknown])[],
  id: AnyColumn,
  after: unknown = aboveAll,
): { readonly where: SQL; readonly order: readonly SQL[] } {
  const join = (parts: readonly SQL[]) => text.join([...parts], text`, `);
  const selected = (column: AnyColumn, value: unknown) => text`(select ${value}::${text.raw(column.getSQLType())})`;
  const columns = equal.map(([column]) => text`${column}`);
  const values = equal.map(([column, value]) => selected(column, value));
  const before = text`(${join([...columns, text`${id}`])}) < (${join([...values, selected(id, after)])})`;
  return {
    where: equal.length === 0 ? before : text`${before} and (${join(columns)}) >= (${join(values)})`,
    order: [...equal.map(([column]) => column), id].map((column) => desc(column)),
  };
}
