import { sleep } from "@rialto/async";
import { CallError, callErrors } from "@rialto/rpc";
import { isAtRest, type Order } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";

/** The longest delay of a change for a watcher. There is one query at a time, for all watchers. */
const pollIntervalMs = 150;
/** Orders in one query. */
const pollOrdersMax = 1_000;
/** Streams open in this process. One more is refused as unavailable; another replica may accept it. */
const watchersMax = 10_000;
/** Polls that fail in a row before the streams fail: a short outage of the database ends no stream. */
const pollFailuresMax = 20;

export interface OrderWatch {
  /**
   * The order each time that it has changed since `from`, until it is at rest. A reader who is slower than the changes
   * is given the latest of them, not each: nothing piles up behind a slow reader.
   */
  changes(from: Order, signal: AbortSignal): AsyncIterable<Order>;
  close(): void;
}

interface Watcher {
  readonly orderId: string;
  /** The version that was given to the watcher, or is next. */
  version: number;
  /** Not read yet. */
  latest: Order | undefined;
  failure: unknown;
  wake: () => void;
}

/** Watches orders for all streams of this process with one poll, which stops while there are no watchers. */
export function createOrderWatch({ orders }: { readonly orders: Pick<OrderStore, "changed"> }): OrderWatch {
  const watchers = new Set<Watcher>();
  const closing = new AbortController();
  let polling = false;

  async function poll(): Promise<void> {
    polling = true;
    let failures = 0;
    while (watchers.size > 0 && !closing.signal.aborted) {
      await sleep(pollIntervalMs, { signal: closing.signal });
      try {
        await pollOnce();
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures < pollFailuresMax) continue;
        for (const watcher of watchers) fail(watcher, error);
      }
    }
    polling = false;
  }

  async function pollOnce(): Promise<void> {
    const known = new Map<string, number>();
    for (const { orderId, version } of watchers)
      known.set(orderId, Math.min(version, known.get(orderId) ?? Number.POSITIVE_INFINITY));
    const ids = [...known];
    for (let at = 0; at < ids.length; at += pollOrdersMax) {
      const changed = await orders.changed(new Map(ids.slice(at, at + pollOrdersMax)));
      const byId = new Map(changed.map((order) => [order.id, order]));
      for (const watcher of watchers) give(watcher, byId.get(watcher.orderId));
    }
  }

  return {
    async *changes(from, signal) {
      if (isAtRest(from)) return;
      if (watchers.size >= watchersMax || closing.signal.aborted)
        throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
      const watcher: Watcher = {
        orderId: from.id,
        version: from.version,
        latest: undefined,
        failure: undefined,
        wake: () => undefined,
      };
      const left = () => watcher.wake();
      signal.addEventListener("abort", left);
      watchers.add(watcher);
      if (!polling) void poll();
      try {
        for (;;) {
          const order = await next(watcher, signal);
          yield order;
          if (isAtRest(order)) return;
        }
      } finally {
        watchers.delete(watcher);
        signal.removeEventListener("abort", left);
      }
    },
    close() {
      closing.abort();
      for (const watcher of watchers) fail(watcher, new CallError(callErrors.TEMPORARILY_UNAVAILABLE));
    },
  };
}

async function next(watcher: Watcher, signal: AbortSignal): Promise<Order> {
  while (watcher.latest === undefined) {
    signal.throwIfAborted();
    if (watcher.failure !== undefined) throw watcher.failure;
    await new Promise<void>((resolve) => {
      watcher.wake = resolve;
    });
  }
  const order = watcher.latest;
  watcher.latest = undefined;
  return order;
}

function give(watcher: Watcher, order: Order | undefined): void {
  if (order === undefined || order.version <= watcher.version) return;
  watcher.version = order.version;
  watcher.latest = order;
  watcher.wake();
}

function fail(watcher: Watcher, error: unknown): void {
  watcher.failure = error;
  watcher.wake();
}
