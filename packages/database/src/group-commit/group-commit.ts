import type { CancelSignal } from "@rialto/async";
import { type Batcher, createBatcher, statementOverlap } from "../batching/batcher.ts";
import type { Database } from "../connection/connection.ts";
import { KeyInUse } from "../connection/errors.ts";
import { isRefusal } from "../connection/failures.ts";
import { codeOf } from "../connection/outage.ts";
import { type Attempt, createSender, type Result } from "./commit-batch.ts";
import { createDecisionEncoder, type Decision, type Outcome } from "./decision.ts";
import { type Execute, executeWithTimeout } from "./execute.ts";
import { groupCommitStatement, type Tables } from "./statement.ts";

/**
 * The store of one kind of subject. Decisions that wait at the same moment are committed by one statement (a combined
 * commit).
 */
export interface GroupCommit {
  /**
   * Commits one decision with its event, row, message, key and inbox row: all of it or nothing. Throws `RowRefused`
   * where Postgres refuses it, `KeyInUse`, `QueueFull`, `DeadlinePassed`, and an error that `isOutage` recognizes when
   * Postgres is unavailable. A decision with a key may then be sent again without harm.
   */
  commit(decision: Decision, o?: { signal?: CancelSignal | undefined }): Promise<Outcome>;
  close(): Promise<void>;
  /** The text that is sent, for tests and for EXPLAIN. */
  readonly statement: string;
}

const triesMax = 6;
/**
 * docs/group-commit.md measured 2 writers x 128 at 256 clients: 3.1 times (creates) to 4.2 times (appends) what single
 * statements do.
 */
const writersDefault = 2;
const batchMaxDefault = 128;
const queueMaxDefault = 10_000;
/**
 * Longer than a statement's own timeout and than a silent connection is waited for: a later statement found no
 * connection.
 */
const answerMsMaxDefault = 15_000;

/**
 * Creates the store of one kind of subject. `onCommitted` is called after each statement that published something, with
 * the topics, but for those of decisions that do not wake the relay.
 */
export function createGroupCommit(o: {
  database: Database;
  subjectTable: string;
  rowColumns: Readonly<Record<string, string>>;
  eventTable: string;
  /** Whether the schema has an inbox table: true unless said. */
  inbox?: boolean;
  /** Whether the schema has an audit log: false unless said. */
  audit?: boolean;
  onCommitted?: (topics: readonly string[]) => void;
  writers?: number;
  batchMax?: number;
  queueMax?: number;
  answerMsMax?: number;
}): GroupCommit {
  const tables: Tables = { ...o, schema: o.database.schema, inbox: o.inbox ?? true, audit: o.audit ?? false };
  const statement = groupCommitStatement(tables);
  const execute = executeWithTimeout(o.database.writers, o.answerMsMax ?? answerMsMaxDefault);
  const watched: Execute = (text, objects) =>
    text === statement ? o.database.writes.watch(() => execute(text, objects)) : execute(text, objects);
  const send = createSender({
    execute: watched,
    tables,
    statement,
    onCommitted: o.onCommitted,
    renew: o.database.renew,
  });
  const batcher = createBatcher<Attempt, Result>({
    name: `group commit ${o.subjectTable}`,
    inFlightMax: o.writers ?? writersDefault,
    // Two statements of half the size use both of Postgres' processes.
    divides: true,
    overlap: statementOverlap,
    batchMax: o.batchMax ?? batchMaxDefault,
    queueMax: o.queueMax ?? queueMaxDefault,
    keysOf: ({ decision: { id, key } }) =>
      key === undefined ? [id] : [id, JSON.stringify([key.caller, key.method, key.key])],
    send,
    onFailure: (error) => {
      const code = codeOf(error);
      if (isRefusal(code) || code === "55P03") return "halve";
      return code.startsWith("40") ? "again" : "fail";
    },
  });
  const encode = createDecisionEncoder(Object.keys(o.rowColumns));
  return {
    statement,
    close: batcher.close,
    commit: (decision, { signal } = {}) => {
      if (decision.message !== undefined) o.database.requireTopic(decision.message.topic);
      const encoded = encode(decision);
      const attempt = { decision, encoded, outcomeUnknown: false, tries: 0, lastError: undefined };
      return settle(batcher, attempt, signal);
    },
  };
}

/** Settles the decision. Sends it again while its outcome is unknown and a try is left. */
async function settle(
  batcher: Batcher<Attempt, Result>,
  attempt: Attempt,
  signal: CancelSignal | undefined,
): Promise<Outcome> {
  while (attempt.tries < triesMax) {
    attempt.tries += 1;
    const result = await batcher.add(attempt, { signal }).catch((error: unknown) => {
      // The queue is full for a decision that was sent before, so its outcome is unknown: the earlier error says so.
      throw attempt.lastError ?? error;
    });
    if (result.kind === "FAILED") throw result.error;
    if (result.kind !== "AGAIN") return result;
  }
  throw attempt.lastError ?? new KeyInUse();
}
