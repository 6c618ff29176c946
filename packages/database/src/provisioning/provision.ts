import type { Logger } from "@rialto/telemetry";
import { type Sql, withAdmin } from "../connection/connection.ts";
import { TooOldPostgres } from "../connection/errors.ts";
import { makeExtensionIndexes } from "./extension-indexes.ts";
import { withProvisioningLock } from "./lock.ts";
import { ledgerRights, migrateSchema, type SchemaSpec } from "./migrations.ts";
import { withdrawPublicRights } from "./public-rights.ts";
import { ensureRole, rolesOf, type SchemaRoles, urlAs } from "./roles.ts";
import { applyTableRights } from "./table-rights.ts";

const oldestPostgres = 16;
const jobsSchema = "jobs";

/**
 * Makes a database ready for these schemas: roles, schemas, rights and migrations. Safe to run at every start and from
 * many processes at once (one works, the others wait and find nothing to do).
 *
 * Each schema has an owner, which migrates and as which no process runs, and a runtime role, which reads and writes
 * there and has no other rights. `jobs` creates the queue's schema, whose runtime role may also create sequences, as
 * BullMQ does.
 */
export async function provision(o: {
  adminUrl: string;
  secret: string;
  schemas: readonly SchemaSpec[];
  jobs?: boolean;
  /** Apply the migrations that drop what older code uses. No older replica may run, now or later. */
  contract?: boolean;
  log: Logger;
}): Promise<void> {
  await withAdmin(o.adminUrl, async (admin) => {
    await refuseOldServer(admin);
    await withProvisioningLock({ admin, ...o }, async () => {
      for (const spec of o.schemas) {
        const roles = await makeSchema(admin, spec.name, o);
        const owner = urlAs(o.adminUrl, roles.owner, o.secret);
        await withOwnerMayCreate(admin, roles.owner, () => migrateSchema(owner, spec, o.contract ?? false));
        const rights = { ...ledgerRights, ...spec.rights };
        await withAdmin(owner, (sql) => applyTableRights(sql, { schema: spec.name, role: roles.runtime, rights }));
        await makeExtensionIndexes({
          ...{ admin, ownerUrl: owner, schema: spec.name, indexes: spec.indexes ?? [], log: o.log },
        });
        o.log.debug({ schema: spec.name }, "schema is ready");
      }
      if (o.jobs === true) await makeSchema(admin, jobsSchema, o);
      await withdrawPublicRights(admin, { jobsSchema, log: o.log });
    });
  });
}

async function refuseOldServer(admin: Sql): Promise<void> {
  const [row] = await admin<{ number: number; version: string }[]>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as version`;
  if (row === undefined || row.number < oldestPostgres * 10_000) {
    throw new TooOldPostgres(row?.version ?? "of unknown version", oldestPostgres);
  }
}

/** Creates roles, schema and rights. Default privileges are set as the owner, because only the owner can. */
async function makeSchema(admin: Sql, name: string, o: { adminUrl: string; secret: string }): Promise<SchemaRoles> {
  const roles = await rolesOf(admin, name);
  const { owner, runtime } = roles;
  await ensureRole(admin, o.adminUrl, owner, o.secret);
  await ensureRole(admin, o.adminUrl, runtime, o.secret);
  const [self] = await admin<{ member: boolean; database: string }[]>`
    select pg_has_role(current_user, ${owner}, 'SET') as member, current_database() as database`;
  // An administrator who is no superuser may give a schema only to a role that it could become.
  if (self?.member === false) await admin`grant ${admin(owner)} to current_user with inherit true, set true`;
  await admin`grant connect on database ${admin(self?.database ?? "")} to ${admin(owner)}, ${admin(runtime)}`;
  await admin`create schema if not exists ${admin(name)} authorization ${admin(owner)}`;
  await withAdmin(urlAs(o.adminUrl, owner, o.secret), async (sql) => {
    const schema = sql(name);
    const role = sql(runtime);
    const more = name === jobsSchema ? sql`, create` : sql``;
    await sql`grant usage ${more} on schema ${schema} to ${role}`;
    if (name === jobsSchema)
      await sql`grant select, insert, update, delete on all tables in schema ${schema} to ${role}`;
    // In the queue's schema the runtime role makes sequences, which are its own and not the owner's to give.
    if (name !== jobsSchema) await sql`grant usage, select, update on all sequences in schema ${schema} to ${role}`;
    await sql`alter default privileges in schema ${schema} grant select, insert, update, delete on tables to ${role}`;
    await sql`alter default privileges in schema ${schema} grant usage, select, update on sequences to ${role}`;
  });
  return roles;
}

/**
 * Drizzle's migrator always says CREATE SCHEMA IF NOT EXISTS, for which Postgres asks the right even if there is
 * nothing to do.
 */
async function withOwnerMayCreate(admin: Sql, owner: string, migrate: () => Promise<void>): Promise<void> {
  const [row] = await admin<{ database: string }[]>`select current_database() as database`;
  const database = admin(row?.database ?? "");
  await admin`grant create on database ${database} to ${admin(owner)}`;
  try {
    await migrate();
  } finally {
    await admin`revoke create on database ${database} from ${admin(owner)}`;
  }
}
