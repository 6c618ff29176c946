import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { drizzle } from "../drizzle.ts";
import type { Sql, Transaction } from "./connection.ts";

/** The types whose values Drizzle encodes itself: json, jsonb, date, timestamp, timestamptz. */
const encodedByDrizzle = [114, 3802, 1082, 1114, 1184];

/** A parameter as Drizzle has encoded it. It goes to Postgres as it is, whatever the type of its column. */
class Encoded {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/**
 * Opens Drizzle on a pool that named SQL uses too, with one set of parsers: int8 is a bigint, dates are `Date`, json is
 * parsed.
 *
 * Drizzle would replace the pool's parsers and serializers for dates and JSON by ones that do nothing. It gets a client
 * with options of its own to replace instead, and the pool's serializers let through what Drizzle has encoded: JSON
 * would be encoded twice.
 */
export function ormOn(sql: Sql): PostgresJsDatabase {
  const { serializers } = sql.options;
  for (const type of encodedByDrizzle) {
    const serialize = serializers[type] ?? String;
    const serializeOnce = (value: unknown) => (value instanceof Encoded ? value.text : serialize(value));
    serializers[type] = serializeOnce;
  }
  // Drizzle's session uses these members of a client and no others.
  return drizzle(clientOn(sql) as unknown as Sql);
}

interface Client {
  readonly options: { readonly parsers: object; readonly serializers: object };
  unsafe: Sql["unsafe"];
  begin<T>(work: (client: Client) => Promise<T>): Promise<unknown>;
  savepoint<T>(work: (client: Client) => Promise<T>): Promise<unknown>;
}

function clientOn(sql: Sql | Transaction): Client {
  return {
    options: { parsers: {}, serializers: {} },
    unsafe: (query, parameters = [], options) => sql.unsafe(query, parameters.map(encoded), options),
    begin: (work) => {
      if (!("begin" in sql)) throw new Error("a transaction begins on the pool");
      return sql.begin((tx) => work(clientOn(tx)));
    },
    savepoint: (work) => {
      if (!("savepoint" in sql)) throw new Error("a savepoint is set in a transaction");
      return sql.savepoint((tx) => work(clientOn(tx)));
    },
  };
}

/**
 * The driver hands an object of a class that it does not know to the serializer of its column's type, or makes text of
 * it.
 */
// biome-ignore lint/suspicious/noExplicitAny: the driver's type of a parameter
function encoded(parameter: any): any {
  return typeof parameter === "string" ? new Encoded(parameter) : parameter;
}
