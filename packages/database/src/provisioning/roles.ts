import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { sleep } from "@rialto/async";
import { type Sql, withAdmin } from "../connection/connection.ts";
import { DatabaseUnreachable, ForeignSchema, RoleOfAnother } from "../connection/errors.ts";
import { codeOf } from "../connection/outage.ts";
import { forEachAtOnce, inOneTransaction, quoted } from "./script.ts";

const pbkdf2InThread = promisify(pbkdf2);
const scramIterations = 4_096;
const roleTriesMax = 20;
const roleRetryDelayMs = 50;

/** The two roles of a schema: one owns and migrates it, the other reads and writes in it and can do nothing else. */
export interface SchemaRoles {
  readonly owner: string;
  readonly runtime: string;
}

/** Postgres cuts every name after so many bytes, without a word. */
const nameBytesMax = 63;
const hashLength = 8;

/**
 * The roles of a schema that does not exist yet: `rialto_<database>_<schema>`, so that two installations on one server
 * share none. Where that is longer than Postgres takes, the database's name is cut and a hash of it added.
 */
export function newRoles(database: string, schema: string): SchemaRoles {
  const bytesMax = nameBytesMax - Buffer.byteLength(`rialto__${schema}_owner`);
  const runtime = `rialto_${shortened(database, bytesMax)}_${schema}`;
  return { owner: `${runtime}_owner`, runtime };
}

/** The roles that versions before 0.2.0 made, one pair for all databases of a server. */
function oldRoles(schema: string): SchemaRoles {
  return { owner: `rialto_${schema}_owner`, runtime: `rialto_${schema}` };
}

/**
 * The roles of schemas in the database of `sql`, in their order. A schema that exists keeps the roles that it has,
 * which its owner's name says: so an installation that an older version made goes on, beside replicas of that version.
 * Throws `ForeignSchema` where the owner is none of ours.
 */
export async function rolesOfAll(sql: Sql, schemas: readonly string[]): Promise<readonly SchemaRoles[]> {
  const [here] = await sql<{ database: string; owners: Readonly<Record<string, string>> }[]>`
    select current_database() as database, coalesce(
      (select json_object_agg(nspname, pg_get_userbyid(nspowner)) from pg_namespace where nspname in ${sql(schemas)}),
      '{}') as owners`;
  const { database = "", owners = {} } = here ?? {};
  return schemas.map((schema) => {
    const owner = owners[schema];
    if (owner === undefined) return newRoles(database, schema);
    const runtime = /^(rialto_.+)_owner$/.exec(owner)?.[1];
    if (runtime === undefined) throw new ForeignSchema(schema, owner);
    return { owner, runtime };
  });
}

/** The roles of one schema: see `rolesOfAll`. */
export async function rolesOf(sql: Sql, schema: string): Promise<SchemaRoles> {
  const [roles] = await rolesOfAll(sql, [schema]);
  if (roles === undefined) throw new Error(`no roles of ${schema}`);
  return roles;
}

/** Whether an older version made the schema, under the roles that it shared with all other databases of the server. */
export async function isOfOlderVersion(sql: Sql, schema: string): Promise<boolean> {
  const [row] = await sql<{ owner: string }[]>`
    select pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = ${schema}`;
  return row?.owner === oldRoles(schema).owner;
}

/** The URL of a schema's runtime role, on the server and database of `adminUrl`, which is asked for its name. */
export async function runtimeUrl(adminUrl: string, schema: string, secret: string): Promise<string> {
  const { runtime } = await withAdmin(adminUrl, async (sql) => await rolesOf(sql, schema));
  return urlAs(adminUrl, runtime, secret);
}

/** The URL of a schema's owner role, on the server and database of `adminUrl`, which is asked for its name. */
export async function ownerUrl(adminUrl: string, schema: string, secret: string): Promise<string> {
  const { owner } = await withAdmin(adminUrl, async (sql) => await rolesOf(sql, schema));
  return urlAs(adminUrl, owner, secret);
}

/** The URL of a role whose password follows from the secret. */
export function urlAs(adminUrl: string, role: string, secret: string): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = derivedPassword(role, secret);
  return url.href;
}

/** Every process that knows the secret knows every role's password: there is nothing to hand out or to store. */
function derivedPassword(role: string, secret: string): string {
  return createHmac("sha256", secret).update(`postgres role ${role}`).digest("base64url");
}

/** Cut at a character, with a hash of the whole behind the cut, so that two long names that begin alike stay two. */
function shortened(name: string, bytesMax: number): string {
  if (Buffer.byteLength(name) <= bytesMax) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, hashLength);
  let cut = "";
  for (const character of name) {
    if (Buffer.byteLength(`${cut}${character}_${hash}`) > bytesMax) break;
    cut += character;
  }
  return `${cut}_${hash}`;
}

/**
 * Makes roles that can log in to this database and nothing more. One that exists is left alone where it has the
 * password that follows from the secret. Else its password is changed only where the role is proven to be this
 * installation's: it has rights in this database and in no other, so that the secret is what changed. Throws
 * `RoleOfAnother` where that cannot be proven.
 *
 * Roles belong to the cluster and our lock to one database: two provisions of two databases may meet here, and then one
 * tries again. Postgres is given the SCRAM verifier, so that no password can appear in its log.
 */
export async function ensureRoles(
  sql: Sql,
  o: { readonly adminUrl: string; readonly secret: string; readonly roles: readonly string[] },
): Promise<void> {
  const wanted = await Promise.all(
    o.roles.map(async (name) => ({ name, verifier: await scramVerifier(derivedPassword(name, o.secret), name) })),
  );
  for (let tries = 1; ; tries += 1) {
    try {
      const found = await verifiersOf(sql, o.roles);
      await makeRoles(
        sql,
        wanted.filter(({ name }) => !found.has(name)),
      );
      const others = wanted.filter(({ name, verifier }) => found.has(name) && found.get(name) !== verifier);
      await forEachAtOnce(others, (role) => ensurePassword(sql, role, urlAs(o.adminUrl, role.name, o.secret)));
      return;
    } catch (error) {
      const code = codeOf(error);
      // 23505 and 42710: made by another meanwhile; XX000 "tuple concurrently updated": altered by another meanwhile.
      const met = code === "23505" || code === "42710" || code === "XX000";
      if (!met || tries >= roleTriesMax) throw error;
      await sleep(roleRetryDelayMs);
    }
  }
}

interface Role {
  readonly name: string;
  readonly verifier: string;
}

/**
 * The verifiers of those of the roles that exist. It is undefined where only an attempt can tell whether the role takes
 * its password: the role may not log in, or this administrator is no superuser and may not read verifiers.
 */
async function verifiersOf(sql: Sql, roles: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
  const [self] = await sql<{ reads: boolean }[]>`select has_table_privilege('pg_authid', 'SELECT') as reads`;
  const rows =
    self?.reads === true
      ? await sql<{ name: string; verifier: string | null }[]>`
          select rolname as name,
            case when rolcanlogin and coalesce(rolvaliduntil > now(), true) then rolpassword end as verifier
          from pg_authid where rolname in ${sql(roles)}`
      : await sql<{ name: string; verifier: null }[]>`
          select rolname as name, null as verifier from pg_roles where rolname in ${sql(roles)}`;
  return new Map(rows.map(({ name, verifier }) => [name, verifier ?? undefined]));
}

/** Roles and their right on this database come together: none is ever there without what proves whose it is. */
async function makeRoles(sql: Sql, roles: readonly Role[]): Promise<void> {
  if (roles.length === 0) return;
  const [row] = await sql<{ database: string }[]>`select current_database() as database`;
  await inOneTransaction(sql, [
    ...roles.map(({ name, verifier }) => `create role ${quoted(name)} with login noinherit password '${verifier}'`),
    `grant connect on database ${quoted(row?.database ?? "")} to ${roles.map(({ name }) => quoted(name)).join(", ")}`,
  ]);
}

async function ensurePassword(sql: Sql, { name, verifier }: Role, url: string): Promise<void> {
  if (await takesPassword(url)) return;
  await requireOwn(sql, name);
  await sql.unsafe(`alter role ${quoted(name)} with login noinherit password '${verifier}'`);
}

async function takesPassword(url: string): Promise<boolean> {
  try {
    await withAdmin(url, async () => undefined);
    return true;
  } catch (error) {
    const code = error instanceof DatabaseUnreachable ? codeOf(error.cause) : "";
    if (code === "28P01") return false;
    // The password was right, and the role may not connect to this database: that right is given next.
    if (code === "42501") return true;
    throw error;
  }
}

/** What a role owns or may do is listed for the whole server, with the database of each. */
async function requireOwn(sql: Sql, role: string): Promise<void> {
  const rows = await sql<{ database: string; here: boolean }[]>`
    select distinct datname as database, datname = current_database() as here
    from pg_shdepend
    join pg_database on pg_database.oid = case when classid = 'pg_database'::regclass then objid else dbid end
    where refclassid = 'pg_authid'::regclass and refobjid = (select oid from pg_roles where rolname = ${role})
    order by 1`;
  const others = rows.filter(({ here }) => !here).map(({ database }) => database);
  if (others.length > 0 || rows.length === 0) throw new RoleOfAnother(role, others);
}

/**
 * The form in which Postgres stores a password (RFC 5803). The salt follows from the role, so that the verifier is
 * stable.
 */
async function scramVerifier(password: string, role: string): Promise<string> {
  const salt = createHash("sha256").update(`${password} ${role}`).digest().subarray(0, 16);
  const salted = await pbkdf2InThread(password, salt, scramIterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
