import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { sleep } from "@rialto/async";
import { type Sql, withAdmin } from "../connection/connection.ts";
import { DatabaseUnreachable, ForeignSchema, RoleOfAnother } from "../connection/errors.ts";
import { codeOf } from "../connection/outage.ts";

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
 * The roles of a schema in the database of `sql`. A schema that exists keeps the roles that it has, which its owner's
 * name says: so an installation that an older version made goes on, beside replicas of that version. Throws
 * `ForeignSchema` where the owner is none of ours.
 */
export async function rolesOf(sql: Sql, schema: string): Promise<SchemaRoles> {
  const [row] = await sql<{ database: string; owner: string | null }[]>`
    select current_database() as database, (
      select rolname from pg_namespace join pg_roles on pg_roles.oid = nspowner where nspname = ${schema}) as owner`;
  if (row === undefined || row.owner === null) return newRoles(row?.database ?? "", schema);
  const runtime = /^(rialto_.+)_owner$/.exec(row.owner)?.[1];
  if (runtime === undefined) throw new ForeignSchema(schema, row.owner);
  return { owner: row.owner, runtime };
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
 * Makes a role that can log in to this database and nothing more. One that exists is left alone where it has the
 * password that follows from the secret. Else its password is changed only where the role is proven to be this
 * installation's: it has rights in this database and in no other, so that the secret is what changed. Throws
 * `RoleOfAnother` where that cannot be proven.
 *
 * Roles belong to the cluster and our lock to one database: two provisions of two databases may meet here, and then one
 * tries again. Postgres is given the SCRAM verifier, so that no password can appear in its log.
 */
export async function ensureRole(sql: Sql, adminUrl: string, role: string, secret: string): Promise<void> {
  const verifier = scramVerifier(derivedPassword(role, secret), role);
  for (let tries = 1; ; tries += 1) {
    try {
      const [found] = await sql`select 1 from pg_roles where rolname = ${role}`;
      if (found === undefined) await makeRole(sql, role, verifier);
      else if (!(await takesPassword(urlAs(adminUrl, role, secret)))) {
        await requireOwn(sql, role);
        await sql.unsafe(`alter role ${quoted(role)} with login noinherit password '${verifier}'`);
      }
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

/** The role and its right on this database come together: it is never there without what proves whose it is. */
async function makeRole(sql: Sql, role: string, verifier: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe(`create role ${quoted(role)} with login noinherit password '${verifier}'`);
    const [row] = await tx<{ database: string }[]>`select current_database() as database`;
    await tx`grant connect on database ${tx(row?.database ?? "")} to ${tx(role)}`;
  });
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

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The form in which Postgres stores a password (RFC 5803). The salt follows from the role, so that the verifier is
 * stable.
 */
function scramVerifier(password: string, role: string): string {
  const salt = createHash("sha256").update(`${password} ${role}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(password, salt, scramIterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
