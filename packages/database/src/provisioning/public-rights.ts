import type { Logger } from "@rialto/telemetry";
import type { Sql } from "../connection/connection.ts";
import { codeOf } from "../connection/outage.ts";
import { rolesOf } from "./roles.ts";

/** A right that Postgres gives to every role and that none of our roles needs. */
interface PublicRight {
  readonly right: string;
  /** Whether every role has it, as SQL. */
  readonly held: string;
  /** Revokes it from all roles but those that were granted it by name. */
  readonly withdraw: string;
}

/**
 * Takes from PUBLIC what a runtime role could fill the disk with or hide in: temporary tables and large objects in this
 * database, and sessions on `template1`, whose contents every new database inherits. An administrator without the right
 * to revoke them changes nothing; the statements are logged for one who has it. The queue's role keeps temporary
 * tables, which BullMQ makes.
 */
export async function withdrawPublicRights(
  admin: Sql,
  { jobsSchema, log }: { readonly jobsSchema: string; readonly log: Logger },
): Promise<void> {
  await keepForJobs(admin, jobsSchema);
  const rights = await publicRights(admin);
  const found = await heldOf(admin, rights);
  for (const { withdraw } of found) {
    // 42501: not ours to take; XX000 "tuple concurrently updated": another start takes it at this moment.
    await admin.unsafe(withdraw).catch((error: unknown) => {
      if (codeOf(error) !== "42501" && codeOf(error) !== "XX000") throw error;
    });
  }
  const left = found.length === 0 ? [] : await heldOf(admin, found);
  if (left.length === 0) return;
  const statements = left.map(({ withdraw }) => withdraw).join("; ");
  log.warn(
    { rights: left.map(({ right }) => right), statements },
    "every role of this Postgres has rights that Rialto does not need: run these statements as a superuser",
  );
}

/** Granted before anything is revoked: what the queue's role runs at the moment must not fail. */
async function keepForJobs(admin: Sql, schema: string): Promise<void> {
  const [found] = await admin<{ database: string; held: boolean }[]>`
    select current_database() as database,
      has_database_privilege('public', current_database(), 'TEMPORARY') as held
    from pg_namespace where nspname = ${schema}`;
  if (found === undefined) return;
  const { runtime } = await rolesOf(admin, schema);
  const grant = admin`grant temporary on database ${admin(found.database)} to ${admin(runtime)}`;
  await grant.catch((error: unknown) => {
    // 42501: as long as every role has the right, and we may not take it, this one has it too.
    if (codeOf(error) !== "42501" || !found.held) throw error;
  });
}

async function publicRights(admin: Sql): Promise<readonly PublicRight[]> {
  const [row] = await admin<{ name: string; quoted: string }[]>`
    select current_database() as name, quote_ident(current_database()) as quoted`;
  const { name = "", quoted = "" } = row ?? {};
  const databaseRight = (database: string, identifier: string, right: string): PublicRight => ({
    right: `${right} on the database ${database}`,
    held: `has_database_privilege('public', '${database.replaceAll("'", "''")}', '${right}')`,
    withdraw: `revoke ${right} on database ${identifier} from public`,
  });
  const functionRight = (signature: string): PublicRight => ({
    right: signature,
    held: `has_function_privilege('public', 'pg_catalog.${signature}', 'EXECUTE')`,
    withdraw: `revoke execute on function pg_catalog.${signature} from public`,
  });
  return [
    databaseRight(name, quoted, "TEMPORARY"),
    databaseRight("template1", "template1", "CONNECT"),
    ...["lo_creat(integer)", "lo_create(oid)", "lo_from_bytea(oid, bytea)"].map(functionRight),
  ];
}

/** Those of the rights that every role has. */
async function heldOf(admin: Sql, rights: readonly PublicRight[]): Promise<readonly PublicRight[]> {
  const [row] = await admin.unsafe<{ held: readonly boolean[] }[]>(
    `select json_build_array(${rights.map(({ held }) => held).join(", ")}) as held`,
  );
  return rights.filter((_, n) => row?.held[n] === true);
}
