import type { Transaction } from "@rialto/database";
import type { Envelope } from "../event/envelope.ts";
import { type Consumer, setBack } from "./consumer.ts";
import { advanceCursors, isEarly } from "./cursor.ts";
import { failAgain, holdBack, type PendingEvent, park } from "./pending.ts";

/** A subscription's handler that touches its own database only. */
export type RunInTransaction = (envelope: Envelope, tx: Transaction) => Promise<void>;

/**
 * Runs a batch in one transaction, each event behind a savepoint together with its inbox row. One that fails is rolled
 * back to there and leaves the batch; the others commit. Where the transaction itself fails for a reason of its own (a
 * deferred constraint, say), each event gets a transaction of its own. Where the database is gone nothing has happened,
 * and the job is tried again.
 */
export async function consumeInTransaction(
  consumer: Consumer,
  run: RunInTransaction,
  batch: readonly Envelope[],
): Promise<void> {
  const { sql, subscription, isOutage } = consumer;
  try {
    await sql.begin(async (tx) => {
      for (const envelope of batch) await consumeBehindSavepoint(consumer, run, envelope, tx);
    });
  } catch (error) {
    if (isOutage(error)) throw error;
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) {
      await holdBack(sql, subscription.name, only, setBack(consumer, only, error));
      return;
    }
    for (const envelope of batch) await consumeInTransaction(consumer, run, [envelope]);
  }
}

async function consumeBehindSavepoint(
  consumer: Consumer,
  run: RunInTransaction,
  envelope: Envelope,
  tx: Transaction,
): Promise<void> {
  const { name, ordered } = consumer.subscription;
  if (ordered && (await isEarly(tx, name, envelope))) {
    await park(tx, name, envelope);
    return;
  }
  try {
    await tx.savepoint(async (savepoint) => await consumeOnce(consumer, run, envelope, savepoint));
  } catch (error) {
    // Where the connection is lost this fails too, and with it the transaction.
    await holdBack(tx, name, envelope, setBack(consumer, envelope, error));
  }
}

/** Runs an event that left its batch, in a transaction of its own. Answers whether it is done with. */
export async function consumeAloneInTransaction(
  consumer: Consumer,
  run: RunInTransaction,
  { envelope, attempts, outages }: PendingEvent,
): Promise<boolean> {
  const { sql, subscription } = consumer;
  try {
    await sql.begin(async (tx) => {
      await tx`delete from inbox_pending where subscription = ${subscription.name} and event_id = ${envelope.id}`;
      await consumeOnce(consumer, run, envelope, tx);
    });
    return true;
  } catch (error) {
    await failAgain(sql, subscription.name, envelope.id, setBack(consumer, envelope, error, { attempts, outages }));
    return false;
  }
}

/**
 * The inbox row comes first: it waits for whoever handles the same event at this moment, and says whether that one did.
 */
async function consumeOnce(
  { subscription: { name, ordered } }: Consumer,
  run: RunInTransaction,
  envelope: Envelope,
  tx: Transaction,
): Promise<void> {
  const inserted = await tx`
    insert into inbox (subscription, event_id) values (${name}, ${envelope.id})
    on conflict (subscription, event_id) do nothing`;
  if (inserted.count === 0) return;
  await run(envelope, tx);
  if (ordered) await advanceCursors(tx, name, [envelope]);
}
