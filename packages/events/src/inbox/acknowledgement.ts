import type { Sql } from "@rialto/database";
import { currentSpan, type RecordedSpan, runForAll } from "@rialto/telemetry";
import type { Envelope } from "../event/envelope.ts";
import type { Subscription } from "./subscription.ts";

/** Events that one statement acknowledges at most. */
export const acknowledgedRowsMax = 200;

/**
 * Returns a function that records that the handler of an event has had its effect: the inbox row, where the handler's
 * own commit did not write it, and the pending row deleted. It resolves when that has committed. Events that are
 * reported during a write share the next one, so that a busy subscription writes rarely and a quiet one at once.
 */
export function createAcknowledgement(
  sql: Sql,
  { name }: Pick<Subscription, "name">,
): (event: Envelope) => Promise<void> {
  let waiting: { envelope: Envelope; done: PromiseWithResolvers<void>; span: RecordedSpan | undefined }[] = [];
  let isWriting = false;

  async function write(envelopes: readonly Envelope[]): Promise<void> {
    const ids = envelopes.map(({ id }) => id);
    await sql`
      with acknowledged as (
        insert into inbox (subscription, event_id) select ${name}, * from unnest(${ids}::uuid[])
        on conflict (subscription, event_id) do nothing)
      delete from inbox_pending where subscription = ${name} and event_id = any (${ids}::uuid[])`;
  }

  async function drain(): Promise<void> {
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, acknowledgedRowsMax);
      waiting = waiting.slice(acknowledgedRowsMax);
      try {
        const spans = new Set(batch.flatMap(({ span }) => span ?? []));
        const envelopes = batch.map(({ envelope }) => envelope);
        await runForAll([...spans], () => write(envelopes));
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    isWriting = false;
  }

  return (envelope) => {
    const done = Promise.withResolvers<void>();
    waiting.push({ envelope, done, span: currentSpan() });
    if (!isWriting) void drain();
    return done.promise;
  };
}
