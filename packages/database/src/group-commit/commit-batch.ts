import { backoffMs, sleep } from "@rialto/async";
import { KeyInUse, ReadOnlyServer, RowRefused } from "../connection/errors.ts";
import { isRefusal } from "../connection/failures.ts";
import { codeOf, isOutcomeUnknown } from "../connection/outage.ts";
import type { JsonValue } from "../json.ts";
import { type Decision, encodeKey, type Outcome } from "./decision.ts";
import type { Execute } from "./execute.ts";
import { lookUpStatement, type Tables } from "./statement.ts";

/** One decision in flight, and what is known of its earlier tries. */
export interface Attempt {
  readonly decision: Decision;
  readonly encoded: string;
  /** An earlier try may or may not have committed. */
  outcomeUnknown: boolean;
  tries: number;
  lastError: unknown;
}

export type Result = Outcome | { readonly kind: "FAILED"; readonly error: unknown } | { readonly kind: "AGAIN" };

interface Row {
  readonly n: number;
  readonly outcome: "COMMITTED" | "REPLAY" | "KEY_REUSED" | "KEY_IN_USE" | "LOOK_UP" | "CONFLICT";
  readonly response: JsonValue;
  readonly version: number | null;
}

interface LookedUp {
  readonly n: number;
  readonly same: boolean | null;
  readonly answered: boolean | null;
  readonly response: JsonValue;
  readonly logged: number | null;
  readonly version: number | null;
  readonly read_only: boolean;
}

const resendBackoff = { delayMsMin: 50, delayMsMax: 1_000 } as const;

/**
 * Returns the commit of one batch. It throws only while no decision of the batch is settled (Postgres wrote nothing),
 * so that the batcher may halve it. Any other failure is the result of the decisions that it concerns.
 */
export function createSender(o: {
  execute: Execute;
  tables: Tables;
  statement: string;
  /** Called with the topics that were published, after each statement that published some to be sent at once. */
  onCommitted: ((topics: readonly string[]) => void) | undefined;
  /** Makes the connections anew: one of them leads to a server that takes no writes any more. */
  renew: () => void;
}): (batch: readonly Attempt[]) => Promise<readonly Result[]> {
  const lookUpText = lookUpStatement(o.tables);

  async function lookUp(attempts: readonly Attempt[]): Promise<Map<Attempt, LookedUp>> {
    const rows = await o.execute<LookedUp>(lookUpText, attempts.map(encodeForLookUp));
    // The statement before it may have been committed on the server that took over from this one.
    if (rows.some((row) => row.read_only)) {
      o.renew();
      throw new ReadOnlyServer();
    }
    return new Map(rows.map((row) => [attempts[row.n - 1] as Attempt, row])); // n counts the attempts from 1
  }

  /** Settles those that may have committed before, by the log. */
  async function settleLogged(batch: readonly Attempt[], results: Map<Attempt, Result>): Promise<void> {
    const unknown = batch.filter((attempt) => attempt.outcomeUnknown);
    if (unknown.length === 0) return;
    for (const [attempt, found] of await lookUp(unknown)) {
      if (found.logged !== null) results.set(attempt, { kind: "COMMITTED", version: found.logged });
    }
  }

  /** Sends the batch and settles its decisions by the rows that come back. */
  async function commitRest(batch: readonly Attempt[], results: Map<Attempt, Result>): Promise<void> {
    const open = new Map<Attempt, "LOOK_UP" | "CONFLICT">();
    const rows = await o.execute<Row>(
      o.statement,
      batch.map((attempt) => attempt.encoded),
    );
    for (const row of rows) {
      const attempt = batch[row.n - 1] as Attempt; // n counts the attempts from 1
      const result = resultOf(attempt, row);
      if (result === "LOOK_UP" || result === "CONFLICT") open.set(attempt, result);
      else results.set(attempt, result);
    }
    const topics = [...results].flatMap(([{ decision }, { kind }]) =>
      kind === "COMMITTED" && decision.message !== undefined && decision.wakes !== false ? decision.message.topic : [],
    );
    if (topics.length > 0) o.onCommitted?.(topics);
    if (open.size > 0) await settleOpen(open, results);
  }

  async function settleOpen(
    open: ReadonlyMap<Attempt, "LOOK_UP" | "CONFLICT">,
    results: Map<Attempt, Result>,
  ): Promise<void> {
    try {
      const found = await lookUp([...open.keys()]);
      for (const [attempt, outcome] of open) results.set(attempt, resultOfLookUp(outcome, found.get(attempt)));
    } catch (error) {
      // Other decisions of this batch are committed: the error concerns only those that are still open.
      for (const attempt of open.keys()) results.set(attempt, againAfter(attempt, error));
    }
  }

  return async (batch) => {
    const results = new Map<Attempt, Result>();
    try {
      await settleLogged(batch, results);
      const rest = batch.filter((attempt) => !results.has(attempt));
      if (rest.length > 0) await commitRest(rest, results);
    } catch (error) {
      const rest = batch.filter((attempt) => !results.has(attempt));
      const [only] = rest;
      if (isOutcomeUnknown(error)) {
        for (const attempt of rest) results.set(attempt, againAfter(attempt, error));
        await sleep(backoffMs(1 + Math.max(...rest.map((attempt) => attempt.tries)), resendBackoff));
      } else if (batch.length > rest.length) {
        for (const attempt of rest) results.set(attempt, { kind: "AGAIN" });
      } else if (only !== undefined && rest.length === 1 && isRefusal(codeOf(error))) {
        if (isVersionTaken(error, o.tables)) await settleOpen(new Map([[only, "CONFLICT"]]), results);
        else if (isKeyTaken(error)) await settleOpen(new Map([[only, "LOOK_UP"]]), results);
        else results.set(only, { kind: "FAILED", error: rowRefused(error) });
      } else throw error;
    }
    return batch.map((attempt) => results.get(attempt) ?? { kind: "AGAIN" });
  };
}

/** Returns the result of a row; its outcome where only a new statement can decide. */
function resultOf(attempt: Attempt, row: Row): Result | "LOOK_UP" | "CONFLICT" {
  switch (row.outcome) {
    case "COMMITTED":
      return { kind: "COMMITTED", version: attempt.decision.expected + 1 };
    case "REPLAY":
      return { kind: "REPLAY", response: row.response };
    case "KEY_REUSED":
      return { kind: "KEY_REUSED" };
    case "KEY_IN_USE":
      return { kind: "FAILED", error: new KeyInUse() };
    case "LOOK_UP":
      return "LOOK_UP";
    case "CONFLICT": {
      // An earlier try of the same decision, not committed yet when this statement began, may have taken the version.
      if (attempt.decision.key !== undefined || attempt.outcomeUnknown) return "CONFLICT";
      return { kind: "CONFLICT", version: row.version ?? undefined };
    }
  }
}

function resultOfLookUp(outcome: "LOOK_UP" | "CONFLICT", found: LookedUp | undefined): Result {
  if (found === undefined) return { kind: "AGAIN" };
  if (found.same === false) return { kind: "KEY_REUSED" };
  if (found.same === true && found.answered === true) return { kind: "REPLAY", response: found.response };
  if (found.same === true) return { kind: "FAILED", error: new KeyInUse() };
  if (found.logged !== null) return { kind: "COMMITTED", version: found.logged };
  // The key that blocked it was removed in the meantime, so this decision may claim it.
  if (outcome === "LOOK_UP") return { kind: "AGAIN" };
  return { kind: "CONFLICT", version: found.version ?? undefined };
}

function againAfter(attempt: Attempt, error: unknown): Result {
  attempt.outcomeUnknown = true;
  attempt.lastError = error;
  return { kind: "AGAIN" };
}

function encodeForLookUp({ decision: { id, event, key } }: Attempt): string {
  return JSON.stringify({ id, event_id: event.id, ...encodeKey(key) });
}

/**
 * Whether the event log already has this version: a create of what exists, which the statement's own check cannot see.
 */
function isVersionTaken(error: unknown, tables: Tables): boolean {
  return codeOf(error) === "23505" && textOf(error, "table_name") === tables.eventTable;
}

/** Whether the key was stored under an earlier scope while this statement ran: by a replica of the version before. */
function isKeyTaken(error: unknown): boolean {
  return codeOf(error) === "23505" && textOf(error, "table_name") === "idempotency";
}

function rowRefused(cause: unknown): RowRefused {
  const [table, constraint] = [textOf(cause, "table_name"), textOf(cause, "constraint_name")];
  return new RowRefused({ sqlState: codeOf(cause), table, constraint, cause });
}

function textOf(error: unknown, field: "table_name" | "constraint_name"): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const value: unknown = Reflect.get(error, field);
  return typeof value === "string" ? value : undefined;
}
