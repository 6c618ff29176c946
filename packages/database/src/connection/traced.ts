import { currentSpan, databaseNames, postgresSystem, type RecordedSpan, runSpan } from "@rialto/telemetry";
import type postgres from "postgres";
import { codeOf } from "./outage.ts";
import { type DriverQuery, hookQueries } from "./query-hooks.ts";

/** How the spans of a database's statements are named. */
export interface StatementNames {
  /** Where they run: the database and the schema, as in "rialto|order". */
  readonly namespace: string;
  /** Returns what a statement is called in its span. */
  of(text: string): StatementName;
}

/** A statement as its span has it. */
export interface StatementName {
  /** What it does: see `summarize`. */
  readonly summary: string;
  /** With its placeholders, on one line. */
  readonly text: string;
}

/** Statements whose names are kept. A service has some hundreds; fragments make a few more of them. */
const namesMax = 1_000;

/** Creates the names of the statements on one schema of the database at a URL. */
export function createStatementNames(url: string, schema: string): StatementNames {
  const database = /^[^?]*\/([^/?]*)/.exec(url)?.[1] ?? "";
  const names = new Map<string, StatementName>();
  return {
    namespace: `${database}|${schema}`,
    of(text) {
      const known = names.get(text);
      if (known !== undefined) return known;
      const name = { summary: summarize(text), text: text.replace(/\s+/g, " ").trim() };
      if (names.size < namesMax) names.set(text, name);
      return name;
    },
  };
}

/**
 * Makes a span of each statement that is sent as part of recorded work. A statement has the name of what it does and
 * its text with placeholders: no parameter is ever written. Where no work is recorded a statement costs one look-up.
 */
export function traceStatements<
  S extends postgres.Sql<{ bigint: bigint }> | postgres.TransactionSql<{ bigint: bigint }>,
>(sql: S, names: StatementNames): S {
  return hookQueries(sql, (query) => {
    const work = currentSpan();
    if (work !== undefined) traceQuery(query, work, names);
  });
}

/** Makes a span of a transaction that is part of recorded work, around those of its statements. */
export function traceTransaction<T>(work: RecordedSpan, names: StatementNames, run: () => Promise<T>): Promise<T> {
  const attributes = { [databaseNames.system]: postgresSystem, [databaseNames.namespace]: names.namespace };
  return runSpan(work.child("TRANSACTION", { attributes }), run);
}

function traceQuery(query: DriverQuery, work: RecordedSpan, names: StatementNames): void {
  const { handler } = query;
  const traced = (sent: DriverQuery) => {
    const span = work.child("SQL", {
      kind: "client",
      attributes: { [databaseNames.system]: postgresSystem, [databaseNames.namespace]: names.namespace },
    });
    const { resolve, reject } = sent;
    const resolveTraced = (result: unknown) => {
      end(span, sent.string, names);
      return resolve(result);
    };
    const rejectTraced = (error: unknown) => {
      const code = codeOf(error);
      span.fail(code === "" ? "unknown" : code);
      span.set({ [databaseNames.status]: code === "" ? undefined : code });
      end(span, sent.string, names);
      return reject(error);
    };
    sent.resolve = resolveTraced;
    sent.reject = rejectTraced;
    return handler(sent);
  };
  query.handler = traced;
}

function end(span: RecordedSpan, text: string | undefined, names: StatementNames): void {
  if (text !== undefined) {
    const name = names.of(text);
    span.rename(name.summary);
    span.set({ [databaseNames.summary]: name.summary, [databaseNames.text]: name.text });
  }
  span.end();
}

const writing =
  /\b(insert\s+into|update|delete\s+from)\s+(?!set\b|skip\b|of\b|nowait\b)("?[a-z_]\w*"?(?:\."?\w+"?)?)/gi;
const reading = /\bfrom\s+("?[a-z_]\w*"?(?:\."?\w+"?)?)/i;
/** Of a statement that writes to more, the others are in its text. */
const writesMax = 4;

/**
 * Returns what a statement does, and to which tables, in its order: "INSERT order_event INSERT outbox". One that only
 * reads is named by the first table that it reads: "SELECT product".
 */
export function summarize(text: string): string {
  const writes = new Set<string>();
  for (const [, write = "", table = ""] of text.matchAll(writing))
    writes.add(`${write.split(/\s/, 1)[0]?.toUpperCase()} ${plain(table)}`);
  if (writes.size > 0) return [...writes].slice(0, writesMax).join(" ");
  const [, read] = reading.exec(text) ?? [];
  if (read !== undefined) return `SELECT ${plain(read)}`;
  return /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? "SQL";
}

/** The name of a table without its schema, which is in the namespace. */
function plain(name: string): string {
  return name.replace(/^.*\./, "").replaceAll('"', "");
}
