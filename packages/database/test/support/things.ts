import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { connect } from "../../src/connection/connection.ts";
import { type Database, openDatabase, provision, runtimeUrl, type Sql } from "../../src/index.ts";
import { quietLog } from "./quiet-log.ts";

/** A database with the schema "thing", whose tables are those of a small service. */
export interface Things {
  readonly adminUrl: string;
  readonly database: Database;
  readonly admin: Sql;
  /** Another process's pool on the same schema. */
  another(publishes?: readonly string[]): Database;
  close(): Promise<void>;
}

export const secret = "the secret of a test run";
export const migrations = new URL("../migrations", import.meta.url);

export async function emptyDatabase(): Promise<{ adminUrl: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  const server = connect(inject("adminUrl"), { max: 1 });
  await server`create database ${server(name)}`;
  const url = new URL(inject("adminUrl"));
  url.pathname = `/${name}`;
  return {
    adminUrl: url.href,
    drop: async () => {
      await server`drop database ${server(name)} with (force)`;
      await server.end();
    },
  };
}

export async function openThings(): Promise<Things> {
  const { adminUrl, drop } = await emptyDatabase();
  await provision({ adminUrl, secret, schemas: [{ name: "thing", migrations }], log: quietLog });
  const url = await runtimeUrl(adminUrl, "thing", secret);
  const opened: Database[] = [];
  const another = (publishes?: readonly string[]) => {
    const topics = publishes === undefined ? {} : { publishes };
    const database = openDatabase({ url, schema: "thing", service: "thing", ...topics });
    opened.push(database);
    return database;
  };
  const admin = connect(adminUrl, { max: 4 });
  return {
    adminUrl,
    admin,
    another,
    database: another(),
    close: async () => {
      await Promise.all(opened.map((database) => database.close()));
      await admin.end();
      await drop();
    },
  };
}
