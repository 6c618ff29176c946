import type { Transaction } from "../connection/connection.ts";
import { UnknownTable } from "../connection/errors.ts";
import { quoted } from "./script.ts";

/**
 * What a runtime role may do with a table. "append-only" is for logs: rows are added and read, and never changed or
 * removed again. "kept" is for books: rows change, and are never removed. A table that is not declared is read and
 * written without restriction.
 */
export type TableRights = "read-only" | "append-only" | "kept";

const privileges = {
  "read-only": ["SELECT"],
  "append-only": ["INSERT", "SELECT"],
  kept: ["INSERT", "SELECT", "UPDATE"],
} as const satisfies Readonly<Record<TableRights, readonly string[]>>;

const ofTables = ["DELETE", "INSERT", "SELECT", "UPDATE"] as const;
const ofSequences = ["SELECT", "UPDATE", "USAGE"] as const;

/** Something of a schema, with what the runtime role was granted on it by name. */
interface Granted {
  readonly kind: "schema" | "table" | "sequence" | "function" | "tables to come" | "sequences to come";
  /** As SQL, where it is a function; as it is called, where it is a table or a sequence. */
  readonly name: string;
  readonly held: readonly string[];
  /** More is granted than `held` says: with the right to pass it on, or on single columns. */
  readonly more: boolean;
}

/**
 * Gives a schema's runtime role its rights on the schema and on what is in it, as the schema's owner. It runs at every
 * start, after the migrations and in their transaction, and changes what is not as it should be: an older version that
 * starts grants everything on all tables, and whatever a role was granted on a declared table beyond its declaration is
 * taken back here. Nobody sees a moment between the two. A declared table that does not exist throws `UnknownTable`: a
 * misspelled name must not leave a log open.
 *
 * In the queue's schema (`rights` undefined) the runtime role makes sequences, which are its own and not the owner's to
 * give.
 */
export async function applyTableRights(
  tx: Transaction,
  o: {
    readonly schema: string;
    readonly role: string;
    readonly rights: Readonly<Record<string, TableRights>> | undefined;
  },
): Promise<void> {
  const found = await grantedIn(tx, o);
  const tables = new Set(found.filter(({ kind }) => kind === "table").map(({ name }) => name));
  for (const table of Object.keys(o.rights ?? {})) if (!tables.has(table)) throw new UnknownTable(o.schema, table);
  const statements = found.flatMap((one) => statementsFor(one, o));
  if (statements.length > 0) await tx.unsafe(statements.join(";\n"));
}

function statementsFor(
  one: Granted,
  { schema, role, rights }: Parameters<typeof applyTableRights>[1],
): readonly string[] {
  const [inSchema, to] = [quoted(schema), `to ${quoted(role)}`];
  const grant = (wanted: readonly string[], on: string) => `grant ${wanted.join(", ")} on ${on} ${to}`;
  const holds = (wanted: readonly string[]) => wanted.every((right) => one.held.includes(right));
  const atLeast = (wanted: readonly string[], statement: string) => (holds(wanted) ? [] : [statement]);
  switch (one.kind) {
    case "schema": {
      const wanted = rights === undefined ? ["USAGE", "CREATE"] : ["USAGE"];
      return atLeast(wanted, grant(wanted, `schema ${inSchema}`));
    }
    case "tables to come":
    case "sequences to come": {
      const [wanted, kind] = one.kind === "tables to come" ? [ofTables, "tables"] : [ofSequences, "sequences"];
      return atLeast(wanted, `alter default privileges in schema ${inSchema} ${grant(wanted, kind)}`);
    }
    case "sequence":
      if (rights === undefined) return [];
      return atLeast(ofSequences, grant(ofSequences, `sequence ${inSchema}.${quoted(one.name)}`));
    case "function":
      return rights === undefined ? [] : atLeast(["EXECUTE"], grant(["EXECUTE"], `function ${one.name}`));
    case "table": {
      const table = `table ${inSchema}.${quoted(one.name)}`;
      const declared = rights !== undefined && Object.hasOwn(rights, one.name) ? rights[one.name] : undefined;
      if (declared === undefined) return atLeast(ofTables, grant(ofTables, table));
      const wanted = privileges[declared];
      if (holds(wanted) && one.held.length === wanted.length && !one.more) return [];
      return [`revoke all on ${table} from ${quoted(role)}`, grant(wanted, table)];
    }
  }
}

/** Everything that the schema's owner gives rights on. */
async function grantedIn(
  tx: Transaction,
  { schema, role }: { readonly schema: string; readonly role: string },
): Promise<readonly Granted[]> {
  return await tx<Granted[]>`
    with owner as (select oid from pg_roles where rolname = current_user), object as (
      select 'schema' as kind, nspname::text as name, nspacl as acl, false as more
      from pg_namespace where nspname = ${schema}
      union all
      select case relkind when 'S' then 'sequence' else 'table' end, relname, relacl,
        exists (select from pg_attribute where attrelid = pg_class.oid and attacl is not null)
      from pg_class where relnamespace = ${schema}::text::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
      union all
      select 'function', oid::regprocedure::text, proacl, false
      from pg_proc where pronamespace = ${schema}::text::regnamespace and proowner = (select oid from owner)
      union all
      select case type when 'S' then 'sequences to come' else 'tables to come' end, '', defaclacl, false
      from unnest('{r,S}'::"char"[]) as type left join pg_default_acl on defaclobjtype = type
        and defaclnamespace = ${schema}::text::regnamespace and defaclrole = (select oid from owner)
    )
    select kind, name, coalesce(json_agg(distinct privilege_type) filter (where privilege_type is not null), '[]') as held,
      more or coalesce(bool_or(is_grantable), false) as more
    from object left join lateral aclexplode(acl) on grantee = (select oid from pg_roles where rolname = ${role})
    group by kind, name, more order by kind, name`;
}
