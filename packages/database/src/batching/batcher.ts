import { type CancelSignal, onAbort, sleep } from "@rialto/async";
import { currentSpan, errorWord, type RecordedSpan, runForAll } from "@rialto/telemetry";
import { DeadlinePassed, QueueFull } from "../connection/errors.ts";

/** Sends together what many callers add at the same moment: decisions to commit, questions, reservations. */
export interface Batcher<Item, Result> {
  /**
   * Queues an item and resolves with its own result. A signal that aborts while it waits removes it (`DeadlinePassed`).
   * Once its batch is in flight, the batch decides.
   */
  add(item: Item, o?: { signal?: CancelSignal | undefined }): Promise<Result>;
  /** Rejects new items, and resolves when every queued one is answered. */
  close(): Promise<void>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly keys: readonly string[];
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly forget: () => void;
  /** The work that waits for it, where its trace is recorded. */
  readonly span: RecordedSpan | undefined;
}

/**
 * When another batch may start beside one that is in flight: where so many items wait, or the first of them has waited
 * for so long. A batch of a few items costs nearly as much as one of many, and those that wait for the one in flight
 * lose little; but what is slow, or has lost its connection, holds up no others for longer.
 */
export interface BatchOverlap {
  readonly itemsMin: number;
  readonly waitMsMax: number;
}

/**
 * For statements that take some milliseconds. With 64 orders at once, group commits of two writers had 6 decisions
 * each where these rules were not; a statement of one takes Postgres 0.37 ms, one of 16 takes 1.05.
 */
export const statementOverlap: BatchOverlap = { itemsMin: 16, waitMsMax: 10 };

/** How often a batch that conflicts with another transaction is sent before its items fail. */
const againTriesMax = 5;
const againDelayMsMax = 50;

/**
 * Creates a batcher: at most `inFlightMax` batches at a time, each of at most `batchMax` items.
 *
 * The batch is what waits when a batch may be sent, so a single item is sent at once where none is in flight; beside
 * one, `overlap` decides. Where more than one may be sent, they divide what waits, if `divides` says so and each gets
 * its `itemsMin`; else the first takes it all. An item waits while another one with the same key (the same subject or
 * idempotency key) is in flight, and items with the same key keep their order.
 *
 * `onFailure` decides what happens when a batch fails: `halve` sends each half by itself, down to the one item at
 * fault; `again` sends the same batch again; `fail` rejects every item of the batch.
 *
 * Where the traces of items are recorded, what a batch does is in that of the first, and linked to the others. With a
 * `name` each item has a span of its own in its trace: from when it is added until it is answered.
 */
export function createBatcher<Item, Result>(o: {
  readonly name?: string;
  inFlightMax: number;
  divides: boolean;
  /** Without it another batch starts whatever waits. */
  overlap?: BatchOverlap | undefined;
  batchMax: number;
  queueMax: number;
  keysOf(item: Item): readonly string[];
  send(batch: readonly Item[]): Promise<readonly Result[]>;
  onFailure(error: unknown): "halve" | "again" | "fail";
}): Batcher<Item, Result> {
  const queue: Waiting<Item, Result>[] = [];
  const keysInFlight = new Set<string>();
  let inFlight = 0;
  let pumpDue = false;
  let closed: PromiseWithResolvers<void> | undefined;
  const { itemsMin, waitMsMax } = o.overlap ?? { itemsMin: 1, waitMsMax: 0 };
  const overlapMin = Math.min(itemsMin, o.batchMax);
  /** Runs while items wait for the batch in flight. */
  let patience: NodeJS.Timeout | undefined;

  /**
   * Items of one turn of the event loop share a batch, even when all batches may be sent: what came in together over
   * many connections, and what its callers do next when a batch is answered.
   */
  function pumpSoon(): void {
    if (pumpDue) return;
    pumpDue = true;
    setImmediate(() => {
      pumpDue = false;
      pump();
    });
  }

  function pump(isLate = false): void {
    while (inFlight < o.inFlightMax && queue.length > 0) {
      if (inFlight > 0 && queue.length < overlapMin && !isLate) {
        patience ??= setTimeout(() => {
          patience = undefined;
          pump(true);
        }, waitMsMax);
        return;
      }
      const batch = take(Math.min(o.batchMax, share()));
      if (batch.length === 0) break;
      inFlight += 1;
      void run(batch).finally(() => {
        inFlight -= 1;
        if (queue.length > 0) pumpSoon();
        else if (inFlight === 0) closed?.resolve();
      });
    }
    clearTimeout(patience);
    patience = undefined;
  }

  function share(): number {
    if (!o.divides) return queue.length;
    const each = Math.ceil(queue.length / (o.inFlightMax - inFlight));
    return each < overlapMin ? queue.length : each;
  }

  /** Takes items from the front, but none that shares a key with one in flight or with one that waits before it. */
  function take(count: number): Waiting<Item, Result>[] {
    const batch: Waiting<Item, Result>[] = [];
    const heldBack: Waiting<Item, Result>[] = [];
    const blocked = new Set<string>();
    let seen = 0;
    while (seen < queue.length && batch.length < count) {
      const next = queue[seen];
      seen += 1;
      if (next === undefined) break;
      if (next.keys.some((key) => keysInFlight.has(key) || blocked.has(key))) {
        for (const key of next.keys) blocked.add(key);
        heldBack.push(next);
        continue;
      }
      for (const key of next.keys) keysInFlight.add(key);
      next.forget();
      batch.push(next);
    }
    queue.splice(0, seen, ...heldBack);
    return batch;
  }

  async function run(batch: readonly Waiting<Item, Result>[], tries = 1): Promise<void> {
    let results: readonly Result[];
    try {
      const items = batch.map(({ item }) => item);
      results = await runForAll(spansOf(batch), () => o.send(items));
      if (results.length !== batch.length) throw new Error("a batch was answered for another number of items");
    } catch (error) {
      await fail(batch, error, tries);
      return;
    }
    for (const [n, waiting] of batch.entries()) {
      release(waiting);
      if (o.name !== undefined) waiting.span?.end();
      waiting.resolve(results[n] as Result); // as many results as items
    }
  }

  async function fail(batch: readonly Waiting<Item, Result>[], error: unknown, tries: number): Promise<void> {
    const reaction = o.onFailure(error);
    if (reaction === "again" && tries < againTriesMax) {
      await sleep(Math.random() * againDelayMsMax);
      return run(batch, tries + 1);
    }
    if (reaction === "halve" && batch.length > 1) {
      const middle = Math.ceil(batch.length / 2);
      await run(batch.slice(0, middle));
      return run(batch.slice(middle));
    }
    for (const waiting of batch) {
      release(waiting);
      endFailed(waiting, error);
      waiting.reject(error);
    }
  }

  function endFailed({ span }: Waiting<Item, Result>, error: unknown): void {
    if (span === undefined || o.name === undefined) return;
    span.fail(errorWord(error));
    span.end();
  }

  function spanOfItem(): RecordedSpan | undefined {
    const work = currentSpan();
    return o.name === undefined ? work : work?.child(o.name);
  }

  function release(waiting: Waiting<Item, Result>): void {
    for (const key of waiting.keys) keysInFlight.delete(key);
  }

  return {
    add: (item, { signal } = {}) => {
      if (closed !== undefined) return Promise.reject(new Error("the batcher is closed"));
      if (signal?.aborted) return Promise.reject(new DeadlinePassed());
      if (queue.length >= o.queueMax) return Promise.reject(new QueueFull(o.queueMax));
      return new Promise<Result>((resolve, reject) => {
        const drop = () => {
          queue.splice(queue.indexOf(waiting), 1);
          const passed = new DeadlinePassed();
          endFailed(waiting, passed);
          reject(passed);
          if (queue.length > 0) pumpSoon();
          else if (inFlight === 0) closed?.resolve();
        };
        const waiting: Waiting<Item, Result> = {
          item,
          keys: o.keysOf(item),
          resolve,
          reject,
          forget: signal === undefined ? () => undefined : onAbort(signal, drop),
          span: spanOfItem(),
        };
        queue.push(waiting);
        pumpSoon();
      });
    },
    close: () => {
      closed ??= Promise.withResolvers<void>();
      if (queue.length === 0 && inFlight === 0) closed.resolve();
      return closed.promise;
    },
  };
}

const noSpans: readonly RecordedSpan[] = [];

function spansOf(batch: readonly { readonly span: RecordedSpan | undefined }[]): readonly RecordedSpan[] {
  // Nearly always: most traces are not recorded.
  if (batch.every(({ span }) => span === undefined)) return noSpans;
  // Items of one work are linked to it once.
  return [...new Set(batch.flatMap(({ span }) => span ?? []))];
}
