import type { Sql } from "@rialto/database";
import type { Envelope } from "../event/envelope.ts";
import { advanceCursors } from "./cursor.ts";
import type { Subscription } from "./subscription.ts";

/** Events whose effect is written down in one transaction at most. */
const recordRowsMax = 200;

/**
 * Writes down that events have had their effect: the inbox row where the handler's own commit did not leave it, the
 * cursor where order was asked for, and the pending row away. What is reported while a write is under way goes with the
 * next one, so that a busy subscription writes rarely and a quiet one at once.
 */
export function createEffectRecord(sql: Sql, { name, ordered }: Subscription): (envelope: Envelope) => Promise<void> {
  let waiting: { envelope: Envelope; done: PromiseWithResolvers<void> }[] = [];
  let writing = false;

  async function write(envelopes: readonly Envelope[]): Promise<void> {
    const ids = envelopes.map(({ id }) => id);
    await sql.begin(async (tx) => {
      await tx`
        insert into inbox (subscription, event_id) select ${name}, * from unnest(${ids}::uuid[])
        on conflict (subscription, event_id) do nothing`;
      if (ordered) await advanceCursors(tx, name, latestOfEach(envelopes));
      await tx`delete from inbox_pending where subscription = ${name} and event_id = any (${ids}::uuid[])`;
    });
  }

  async function drain(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, recordRowsMax);
      waiting = waiting.slice(recordRowsMax);
      try {
        await write(batch.map(({ envelope }) => envelope));
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    writing = false;
  }

  return (envelope) => {
    const done = Promise.withResolvers<void>();
    waiting.push({ envelope, done });
    if (!writing) void drain();
    return done.promise;
  };
}

function latestOfEach(envelopes: readonly Envelope[]): readonly Envelope[] {
  const latest = new Map<string, Envelope>();
  for (const envelope of envelopes) {
    if (envelope.version > (latest.get(envelope.subject)?.version ?? 0)) latest.set(envelope.subject, envelope);
  }
  return [...latest.values()];
}
