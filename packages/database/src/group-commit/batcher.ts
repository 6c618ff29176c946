import { sleep } from "@rialto/async";
import { DeadlinePassed, QueueFull } from "../connection/errors.ts";

/** Commits together what many callers add at the same moment. */
export interface Batcher<D, R> {
  /**
   * Queues a decision and resolves with its own result. A signal that aborts while it waits removes it
   * (`DeadlinePassed`). Once its batch is in flight, the commit decides.
   */
  add(decision: D, o?: { signal?: AbortSignal | undefined }): Promise<R>;
  /** Rejects new decisions, and resolves when every queued one is answered. */
  close(): Promise<void>;
}

interface Waiting<D, R> {
  readonly decision: D;
  readonly keys: readonly string[];
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  readonly forget: () => void;
}

/** How often a batch that conflicts with another transaction is sent before its decisions fail. */
const againTriesMax = 5;
const againDelayMsMax = 50;

/**
 * Creates a batcher: `writers` commits at a time, each of at most `batchMax` decisions.
 *
 * There is no timer. The batch is what waits when a writer becomes free, so a single decision is sent at once. A writer
 * leaves the other free writers their share. A decision waits while another one with the same key (the same subject or
 * idempotency key) is in flight, and decisions with the same key keep their order.
 *
 * `onFailure` decides what happens when a commit throws: `halve` commits each half by itself, down to the one decision
 * at fault; `again` sends the same batch again; `fail` rejects every decision of the batch.
 */
export function createBatcher<D, R>(o: {
  writers: number;
  batchMax: number;
  queueMax: number;
  keysOf(decision: D): readonly string[];
  commit(batch: readonly D[]): Promise<readonly R[]>;
  onFailure(error: unknown): "halve" | "again" | "fail";
}): Batcher<D, R> {
  const queue: Waiting<D, R>[] = [];
  const inFlight = new Set<string>();
  let writersFree = o.writers;
  let pumpDue = false;
  let closed: PromiseWithResolvers<void> | undefined;

  /** Decisions of one turn of the event loop share a batch, even when all writers are free. */
  function pumpSoon(): void {
    if (pumpDue) return;
    pumpDue = true;
    queueMicrotask(() => {
      pumpDue = false;
      pump();
    });
  }

  function pump(): void {
    while (writersFree > 0 && queue.length > 0) {
      const batch = take(Math.min(o.batchMax, Math.ceil(queue.length / writersFree)));
      if (batch.length === 0) return;
      writersFree -= 1;
      void run(batch).finally(() => {
        writersFree += 1;
        pump();
        if (queue.length === 0 && writersFree === o.writers) closed?.resolve();
      });
    }
  }

  /** Takes decisions from the front, but none that shares a key with one in flight or with one that waits before it. */
  function take(count: number): Waiting<D, R>[] {
    const batch: Waiting<D, R>[] = [];
    const heldBack: Waiting<D, R>[] = [];
    const blocked = new Set<string>();
    let seen = 0;
    while (seen < queue.length && batch.length < count) {
      const next = queue[seen];
      seen += 1;
      if (next === undefined) break;
      if (next.keys.some((key) => inFlight.has(key) || blocked.has(key))) {
        for (const key of next.keys) blocked.add(key);
        heldBack.push(next);
        continue;
      }
      for (const key of next.keys) inFlight.add(key);
      next.forget();
      batch.push(next);
    }
    queue.splice(0, seen, ...heldBack);
    return batch;
  }

  async function run(batch: readonly Waiting<D, R>[], tries = 1): Promise<void> {
    let results: readonly R[];
    try {
      results = await o.commit(batch.map((waiting) => waiting.decision));
      if (results.length !== batch.length) throw new Error("a commit answered for another number of decisions");
    } catch (error) {
      await fail(batch, error, tries);
      return;
    }
    for (const [n, waiting] of batch.entries()) {
      release(waiting);
      waiting.resolve(results[n] as R); // as many results as decisions
    }
  }

  async function fail(batch: readonly Waiting<D, R>[], error: unknown, tries: number): Promise<void> {
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
      waiting.reject(error);
    }
  }

  function release(waiting: Waiting<D, R>): void {
    for (const key of waiting.keys) inFlight.delete(key);
  }

  return {
    add: (decision, { signal } = {}) => {
      if (closed !== undefined) return Promise.reject(new Error("the store is closed"));
      if (signal?.aborted) return Promise.reject(new DeadlinePassed());
      if (queue.length >= o.queueMax) return Promise.reject(new QueueFull(o.queueMax));
      return new Promise<R>((resolve, reject) => {
        const drop = () => {
          queue.splice(queue.indexOf(waiting), 1);
          reject(new DeadlinePassed());
          pumpSoon();
        };
        const forget = () => signal?.removeEventListener("abort", drop);
        const waiting: Waiting<D, R> = { decision, keys: o.keysOf(decision), resolve, reject, forget };
        signal?.addEventListener("abort", drop, { once: true });
        queue.push(waiting);
        pumpSoon();
      });
    },
    close: () => {
      closed ??= Promise.withResolvers<void>();
      if (queue.length === 0 && writersFree === o.writers) closed.resolve();
      return closed.promise;
    },
  };
}
