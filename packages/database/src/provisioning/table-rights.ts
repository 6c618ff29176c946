import type { Sql } from "../connection/connection.ts";
import { UnknownTable } from "../connection/errors.ts";

/**
 * What a runtime role may do with a table. "append-only" is for logs: rows are added and read, and never changed or
 * removed again. "kept" is for books: rows change, and are never removed. A table that is not declared is read and
 * written without restriction.
 */
export type TableRights = "read-only" | "append-only" | "kept";

const privileges = {
  "read-only": "select",
  "append-only": "select, insert",
  kept: "select, insert, update",
} as const satisfies Readonly<Record<TableRights, string>>;

/**
 * Gives a schema's runtime role its rights on every table of the schema, as the schema's owner. It runs at every start,
 * after the migrations, in one transaction: an older version that starts grants everything on all tables, and whatever
 * a role was granted beyond its declaration is taken back here. Nobody sees a moment between the two. A declared table
 * that does not exist throws `UnknownTable`: a misspelled name must not leave a log open.
 */
export async function applyTableRights(
  owner: Sql,
  o: { readonly schema: string; readonly role: string; readonly rights: Readonly<Record<string, TableRights>> },
): Promise<void> {
  await owner.begin(async (tx) => {
    const role = tx(o.role);
    const found = await tx<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = ${o.schema}::text::regnamespace and relkind in ('r', 'p') order by relname`;
    const tables = new Set(found.map(({ name }) => name));
    for (const table of Object.keys(o.rights)) if (!tables.has(table)) throw new UnknownTable(o.schema, table);
    await tx`grant select, insert, update, delete on all tables in schema ${tx(o.schema)} to ${role}`;
    const functions = await tx<{ signature: string }[]>`
      select oid::regprocedure::text as signature from pg_proc
      where pronamespace = ${o.schema}::text::regnamespace and proowner = current_user::regrole`;
    for (const { signature } of functions) await tx`grant execute on function ${tx.unsafe(signature)} to ${role}`;
    for (const [table, rights] of Object.entries(o.rights)) {
      const name = tx(`${o.schema}.${table}`);
      await tx`revoke all on table ${name} from ${role}`;
      await tx`grant ${tx.unsafe(privileges[rights])} on table ${name} to ${role}`;
    }
  });
}
