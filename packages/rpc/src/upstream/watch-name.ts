import { sleep } from "@rialto/async";
import { dnsAgainMs } from "../limits.ts";
import type { NameLookup } from "./name-lookup.ts";

/** The watch of one name. */
export interface NameWatch {
  /** Resolves when the first lookup has ended, whether or not it found an address. */
  readonly firstLookup: Promise<void>;
  /** Looks the name up again soon, because a connection to one of its addresses failed. */
  lookAgain(): void;
  /** Ends the lookup in progress. No listener is called any more. */
  stop(): void;
}

/**
 * Watches the addresses of a name: looks it up again and again, and soon after `lookAgain`. All waits are random in
 * part, so that many processes do not ask in step. The TTL of an answer does not matter: the resolver keeps it, and a
 * change of its answer must be known within 5 s however long the TTL is.
 */
export function watchName(
  lookup: NameLookup,
  o: {
    /** Called after each lookup that found addresses, also where they are the same as before. */
    onAddresses(addresses: readonly string[]): void;
    /** Called after each lookup that found none. */
    onFailure(error: unknown): void;
    /** A number from 0 to 1. */
    readonly random: () => number;
    readonly pollMs: number;
  },
): NameWatch {
  const stopping = new AbortController();
  const firstLookup = Promise.withResolvers<void>();
  let waiting = new AbortController();
  let mustLookAgain = false;
  const drawn = (ms: number) => ms * (0.5 + o.random() / 2);

  async function look(): Promise<void> {
    try {
      const addresses = await lookup.addresses();
      if (!stopping.signal.aborted) o.onAddresses(addresses);
    } catch (error) {
      if (!stopping.signal.aborted) o.onFailure(error);
    }
    firstLookup.resolve();
  }

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      mustLookAgain = false;
      await look();
      waiting = new AbortController();
      const signal = AbortSignal.any([stopping.signal, waiting.signal]);
      if (!mustLookAgain) await sleep(drawn(o.pollMs), { signal, ref: false });
      // However many connections fail, the resolver is not asked more often.
      const leftMs = drawn(dnsAgainMs) - (performance.now() - startedAt);
      if (leftMs > 0) await sleep(leftMs, { signal: stopping.signal, ref: false });
    }
  }
  void poll();

  return {
    firstLookup: firstLookup.promise,
    lookAgain() {
      mustLookAgain = true;
      waiting.abort();
    },
    stop() {
      stopping.abort();
      lookup.cancel();
    },
  };
}
