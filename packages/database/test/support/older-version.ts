import { createHmac } from "node:crypto";
import { connect } from "../../src/connection/connection.ts";

/**
 * What a start of version 0.1.0 does to a server, statement by statement: its roles have no database in their names, it
 * gives each the password that follows from its own secret, and grants everything on all tables.
 */
export async function olderVersionStarts(o: { adminUrl: string; secret: string; schema: string }): Promise<void> {
  const admin = connect(o.adminUrl, { max: 1 });
  const runtime = `rialto_${o.schema}`;
  const owner = `${runtime}_owner`;
  for (const role of [owner, runtime]) {
    const [found] = await admin`select 1 from pg_roles where rolname = ${role}`;
    const verb = found === undefined ? "create" : "alter";
    await admin.unsafe(`${verb} role "${role}" with login noinherit password '${olderPassword(role, o.secret)}'`);
  }
  const database = admin(new URL(o.adminUrl).pathname.slice(1));
  await admin`grant connect on database ${database} to ${admin(owner)}, ${admin(runtime)}`;
  await admin`create schema if not exists ${admin(o.schema)} authorization ${admin(owner)}`;
  await admin`grant usage on schema ${admin(o.schema)} to ${admin(runtime)}`;
  await admin`grant select, insert, update, delete on all tables in schema ${admin(o.schema)} to ${admin(runtime)}`;
  await admin.end();
}

/** The URL that version 0.1.0 reaches a schema by. */
export function olderRuntimeUrl(adminUrl: string, schema: string, secret: string): string {
  const url = new URL(adminUrl);
  url.username = `rialto_${schema}`;
  url.password = olderPassword(url.username, secret);
  return url.href;
}

function olderPassword(role: string, secret: string): string {
  return createHmac("sha256", secret).update(`postgres role ${role}`).digest("base64url");
}
