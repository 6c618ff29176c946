import { withTimeout } from "@rialto/async";
import { codeOf, type Database, meaningOf } from "@rialto/database";
import type { Readiness } from "@rialto/rpc";
import type { Registrar } from "../events/registration.ts";

/** The time limit of a database check. */
const databaseAnswerMsMax = 1_000;
/** How long an answer is cached: any number of probes cause one check per second. */
const databaseAnswerKeptMs = 1_000;
/** Concurrent checks of one database. One may hang on a dead connection for minutes while others succeed. */
const databaseQuestionsMax = 3;

/**
 * Decides whether a service is ready. It is ready once each of its subscriptions has been registered with its publisher
 * since this process started, because earlier events are not kept for it, and while its databases answer and accept
 * writes: not while a server is read-only or a standby, nor while every write of the last 10 s failed because of an
 * outage. It is not ready once it stops. Other services, the queue and the revocation list are not required.
 */
export function createReadiness(o: {
  readonly databases: readonly ReadyDatabase[];
  readonly registrar: Pick<Registrar, "waiting">;
  readonly stopping: AbortSignal;
}): Readiness {
  const databases = o.databases.map((database) => ({ database, ask: createDatabaseCheck(database) }));
  return async () => {
    if (o.stopping.aborted) return { isStopping: true, waiting: [] };
    const registrations = o.registrar
      .waiting()
      .map(({ subscription, publisher }) => `registration of ${subscription} with ${publisher}`);
    const missing = await Promise.all(
      databases.map(async ({ database: { schema, writes }, ask }) => {
        const answer = await ask();
        if (answer === "none") return [`answer of the database of ${schema}`];
        if (answer === "read-only") return [`a database of ${schema} that takes writes`];
        return writes.areFailing() ? [`a write to the database of ${schema} that succeeds`] : [];
      }),
    );
    return { isStopping: o.stopping.aborted, waiting: [...registrations, ...missing.flat()] };
  };
}

type ReadyDatabase = Pick<Database, "schema" | "sql" | "writes" | "renew">;

type Answer = "writable" | "read-only" | "none";

/** Checks that a database answers and accepts writes, without writing. */
function createDatabaseCheck({ sql, renew }: ReadyDatabase): () => Promise<Answer> {
  let last: { readonly time: number; readonly answer: Promise<Answer> } | undefined;
  let open = 0;
  const question = async (): Promise<Answer> => {
    try {
      // Also on in a standby, and where an administrator made transactions read-only.
      const [row] = await sql<
        { isReadOnly: boolean }[]
      >`select current_setting('transaction_read_only')::bool as "isReadOnly"`;
      if (row?.isReadOnly !== true) return "writable";
      renew();
      return "read-only";
    } catch (error) {
      // The server runs but is at a limit. The watch on writes decides that case.
      return meaningOf(codeOf(error))?.server === "ready" ? "writable" : "none";
    }
  };
  const ask = async (): Promise<Answer> => {
    if (open >= databaseQuestionsMax) return "none";
    open += 1;
    const answered = question().finally(() => {
      open -= 1;
    });
    return await withTimeout(answered, databaseAnswerMsMax, "none");
  };
  return () => {
    const now = Date.now();
    if (last === undefined || now - last.time >= databaseAnswerKeptMs) last = { time: now, answer: ask() };
    return last.answer;
  };
}
