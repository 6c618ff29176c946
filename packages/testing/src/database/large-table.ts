import type { Sql } from "@rialto/database";
import type { Plan } from "./plans.ts";

/** The rows of a table whose lists are tested, and of one page of a list. */
export const largeTable = { rows: 100_000, limit: 21 };

/** The id of the row with that number. The later rows are the newer ones. */
export function rowId(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** The same in SQL, of the column `n`. */
export function rowIdIn(sql: Sql) {
  return sql`('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
}

/**
 * Users by whom rows are listed. That of the old rows is common, and none of the newer half of the table has it: what
 * reads from the newest row on would read half of the table.
 */
export const listedUsers = { old: rowId(1), rare: rowId(2), none: rowId(3) };

/** The user of row `n`, in SQL. */
export function userIn(sql: Sql) {
  const { old, rare } = listedUsers;
  return sql`case when n % 5000 = 7 then ${rare}::uuid
    when n < ${largeTable.rows / 2} and n % 2 = 0 then ${old}::uuid
    else ('01900000-0000-7000-8001-' || lpad(to_hex(n % 5000), 12, '0'))::uuid end`;
}

/** The pages of a list that are tested: what each is called, and the id after which it begins. */
export function pagesBefore(deepId: string) {
  return [
    ["the first page", undefined],
    ["a deep page", deepId],
  ] as const;
}

/**
 * Returns what a page cost beyond its rows, each read from a page of its own at worst; nothing where it was one
 * statement that read them and no others. `sortedMax` rows may be sorted, and `passedOverMax` be read and not shown.
 */
export function excessOf(
  plans: readonly Plan[],
  { sortedMax = 0, passedOverMax = 0 }: { readonly sortedMax?: number; readonly passedOverMax?: number } = {},
): readonly string[] {
  const { limit } = largeTable;
  const ofPlan = ({ scanned, sortedRows, readRows, buffers }: Plan): readonly string[] => [
    ...scanned.map((table) => `reads all of ${table}`),
    ...(sortedRows > sortedMax ? [`sorts ${sortedRows} rows`] : []),
    ...(readRows > limit + passedOverMax ? [`reads ${readRows} rows`] : []),
    ...(buffers > 2 * limit + 20 + passedOverMax ? [`reads ${buffers} pages of tables and indexes`] : []),
  ];
  return plans.length === 1 ? plans.flatMap(ofPlan) : [`is ${plans.length} statements`];
}
