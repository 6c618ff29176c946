import type { Logger } from "@rialto/telemetry";
import { type Sql, withAdmin } from "../connection/connection.ts";
import { TooOldPostgres } from "../connection/errors.ts";
import { makeExtensionIndexes } from "./extension-indexes.ts";
import { withProvisioningLock } from "./lock.ts";
import { ledgerRights, migrateSchema, type SchemaSpec } from "./migrations.ts";
import { withdrawPublicRights } from "./public-rights.ts";
import { ensureRoles, rolesOfAll, type SchemaRoles, urlAs } from "./roles.ts";
import { forEachAtOnce, inOneTransaction, quoted } from "./script.ts";
import { applyTableRights } from "./table-rights.ts";

const oldestPostgres = 16;
const jobsSchema = "jobs";
/** How long a migration waits for what uses its tables. */
const lockMsMax = 10_000;

interface ProvisionOptions {
  readonly adminUrl: string;
  readonly secret: string;
  readonly schemas: readonly SchemaSpec[];
  readonly jobs?: boolean;
  /** Apply the migrations that drop what older code uses. No older replica may run, now or later. */
  readonly contract?: boolean;
  readonly log: Logger;
}

/**
 * Makes a database ready for these schemas: roles, schemas, rights and migrations. Safe to run at every start and from
 * many processes at once (one works, the others wait and find nothing to do). Returns the roles by schema.
 *
 * Each schema has an owner, which migrates and as which no process runs, and a runtime role, which reads and writes
 * there and has no other rights. `jobs` creates the queue's schema, whose runtime role may also create sequences, as
 * BullMQ does.
 *
 * The administrator makes all roles and schemas first. What is in a schema is made by its owner, in one session for
 * each and two of them at once: as the administrator nothing is run that an owner could have put there.
 */
export async function provision(o: ProvisionOptions): Promise<ReadonlyMap<string, SchemaRoles>> {
  const { schemas, jobs = false, log } = o;
  return await withAdmin(o.adminUrl, async (admin) => {
    await refuseOldServer(admin);
    return await withProvisioningLock({ admin, ...o }, async () => {
      const specs = [...(jobs ? [undefined] : []), ...schemas];
      const roles = await makeSchemas(admin, specs.map(nameOf), o);
      await forEachAtOnce(specs, async (spec) => {
        const of = roles.get(nameOf(spec));
        if (of === undefined) throw new Error(`no roles of ${nameOf(spec)}`);
        await (spec === undefined ? fillJobs(of, o) : fillSchema(admin, spec, of, o));
        log.debug({ schema: nameOf(spec) }, "schema is ready");
      });
      await withdrawPublicRights(admin, { jobsSchema, log });
      return roles;
    });
  });
}

/** The queue's schema has no migrations of ours. */
const nameOf = (spec: SchemaSpec | undefined): string => spec?.name ?? jobsSchema;

async function refuseOldServer(admin: Sql): Promise<void> {
  const [row] = await admin<{ number: number; version: string }[]>`
    select current_setting('server_version_num')::int as number, current_setting('server_version') as version`;
  if (row === undefined || row.number < oldestPostgres * 10_000) {
    throw new TooOldPostgres(row?.version ?? "of unknown version", oldestPostgres);
  }
}

/** Creates roles and schemas, and lets the roles connect to the database. */
async function makeSchemas(
  admin: Sql,
  names: readonly string[],
  { adminUrl, secret }: ProvisionOptions,
): Promise<ReadonlyMap<string, SchemaRoles>> {
  if (names.length === 0) return new Map();
  const found = await rolesOfAll(admin, names);
  const owners = found.map(({ owner }) => owner);
  const roles = [...owners, ...found.map(({ runtime }) => runtime)];
  await ensureRoles(admin, { adminUrl, secret, roles });
  const [self] = await admin<{ database: string; strangers: readonly string[] }[]>`
    select current_database() as database, coalesce(
      (select json_agg(rolname) from pg_roles
        where rolname in ${admin(owners)} and not pg_has_role(current_user, oid, 'SET')), '[]') as strangers`;
  const { database = "", strangers = [] } = self ?? {};
  await inOneTransaction(admin, [
    // An administrator who is no superuser may give a schema only to a role that it could become.
    ...strangers.map((owner) => `grant ${quoted(owner)} to current_user with inherit true, set true`),
    `grant connect on database ${quoted(database)} to ${roles.map(quoted).join(", ")}`,
    ...names.map((name, n) => `create schema if not exists ${quoted(name)} authorization ${quoted(owners[n] ?? "")}`),
  ]);
  return new Map(found.map((of, n) => [names[n] ?? "", of]));
}

/** Migrates a schema and gives its runtime role what it may do there, as the owner and in one transaction. */
async function fillSchema(
  admin: Sql,
  spec: SchemaSpec,
  { owner: ownerName, runtime: role }: SchemaRoles,
  { adminUrl, secret, contract = false, log }: ProvisionOptions,
): Promise<void> {
  const { name: schema, indexes = [] } = spec;
  const settings = { search_path: quoted(schema), lock_timeout: lockMsMax };
  await withAdmin(
    urlAs(adminUrl, ownerName, secret),
    async (owner) => {
      await owner.begin(async (tx) => {
        await migrateSchema(tx, spec, contract);
        await applyTableRights(tx, { schema, role, rights: { ...ledgerRights, ...spec.rights } });
      });
      await makeExtensionIndexes({ admin, owner, schema, indexes, log });
    },
    settings,
  );
}

/** Lets the queue's runtime role make its tables. */
async function fillJobs(
  { owner: ownerName, runtime: role }: SchemaRoles,
  { adminUrl, secret }: ProvisionOptions,
): Promise<void> {
  await withAdmin(urlAs(adminUrl, ownerName, secret), (owner) =>
    owner.begin((tx) => applyTableRights(tx, { schema: jobsSchema, role, rights: undefined })),
  );
}
