import { setTimeout as sleep } from "node:timers/promises";
import type { Database, Sql } from "@rialto/database";
import type { Readiness } from "@rialto/rpc";
import type { Registrar } from "./registrar.ts";

/** How long a database may take to answer. */
const databaseAnswerMsMax = 1_000;
/** How long its answer holds: probes, however many, ask it once a second. */
const databaseAnswerKeptMs = 1_000;
/** Questions that a database may have open. One may hang on a dead connection for minutes while others are answered. */
const databaseQuestionsMax = 3;

/**
 * When a service takes work: once each of its subscriptions has been registered with its publisher since this process started, because what is
 * published before is not for it, and while its databases answer; no longer as soon as it stops. Other services, the queue and
 * the list of ended sessions may be away: it goes on without them.
 */
export function createReadiness(o: {
  readonly databases: readonly Pick<Database, "schema" | "sql">[];
  readonly registrar: Pick<Registrar, "waiting">;
  readonly stopping: AbortSignal;
}): Readiness {
  const databases = o.databases.map(({ schema, sql }) => ({ schema, answers: createDatabaseCheck(sql) }));
  return async () => {
    if (o.stopping.aborted) return { isStopping: true, waiting: [] };
    const registrations = o.registrar
      .waiting()
      .map(({ subscription, publisher }) => `registration of ${subscription} with ${publisher}`);
    const silent = await Promise.all(
      databases.map(async ({ schema, answers }) => ((await answers()) ? [] : [`answer of the database of ${schema}`])),
    );
    return { isStopping: o.stopping.aborted, waiting: [...registrations, ...silent.flat()] };
  };
}

/** Asks a database whether it is there. */
function createDatabaseCheck(sql: Sql): () => Promise<boolean> {
  let last: { readonly time: number; readonly answer: Promise<boolean> } | undefined;
  let open = 0;
  const ask = async (): Promise<boolean> => {
    if (open >= databaseQuestionsMax) return false;
    open += 1;
    const answered = sql`select 1`
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        open -= 1;
      });
    return await Promise.race([answered, sleep(databaseAnswerMsMax, false, { ref: false })]);
  };
  return () => {
    const now = Date.now();
    if (last === undefined || now - last.time >= databaseAnswerKeptMs) last = { time: now, answer: ask() };
    return last.answer;
  };
}
