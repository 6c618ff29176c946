import { hash, randomUUID } from "node:crypto";
import { isIPv6, type LookupFunction } from "node:net";
import type { Logger } from "@rialto/telemetry";
import { replicasMax } from "../limits.ts";
import { type GuardedReplica, guardReplica } from "./circuit-breaker.ts";
import { createNameLookup } from "./name-lookup.ts";
import { createReplica, type ReplicaLimits } from "./replica.ts";
import { parseServiceUrl, type ServiceTarget } from "./service-target.ts";
import { watchName } from "./watch-name.ts";

/** The replicas of a service, as they are known now. */
export interface ReplicaSet {
  /** The replicas that calls may go to. Empty while no address of the service's name is known. */
  current(): readonly GuardedReplica[];
  /** Resolves when every name was looked up once, whether or not that found addresses. */
  readonly lookedUp: Promise<unknown>;
  /** A connection failed: the names are looked up again soon. */
  reportLoss(): void;
  /** Ends the watches, and closes the connections. */
  close(): void;
}

export interface ReplicaSetOptions {
  /** One or more URLs of the service, as `parseServiceUrl` reads them. Throws for others. */
  readonly urls: readonly string[];
  readonly limits: ReplicaLimits;
  /** A number from 0 to 1. */
  readonly random: () => number;
  /** How often names are looked up. Each wait is drawn from half of it to the whole. */
  readonly pollMs: number;
  /** Where changes of the addresses are logged. */
  readonly log: Logger | undefined;
}

/** Creates the replicas at all URLs of a service, and watches the names among them until it is closed. */
export function createReplicaSet(o: ReplicaSetOptions): ReplicaSet {
  const targets = o.urls.map((url) => parseServiceUrl(url) ?? invalid(url));
  if (targets.length === 0) throw new Error("an upstream needs at least one address");
  const sources = targets.map((target) =>
    target.kind === "address" ? oneReplica(target.url, o) : watchedReplicas(target, o),
  );
  const all = () => sources.flatMap((source) => source.current());
  // Asked for at each call: a new list is made only where there are several names.
  const fixed = targets.every(({ kind }) => kind === "address") ? all() : undefined;
  const [first, ...others] = sources;
  return {
    current: () => fixed ?? (first !== undefined && others.length === 0 ? first.current() : all()),
    lookedUp: Promise.all(sources.map((source) => source.lookedUp)),
    reportLoss() {
      for (const source of sources) source.reportLoss();
    },
    close() {
      for (const source of sources) source.close();
    },
  };
}

function invalid(url: string): never {
  throw new Error(`not the URL of a service: ${url}`);
}

function oneReplica(url: string, { limits }: ReplicaSetOptions): ReplicaSet {
  const replica = guardReplica(createReplica(url, limits));
  const all = [replica];
  return {
    current: () => all,
    lookedUp: Promise.resolve(),
    reportLoss: () => undefined,
    close: () => replica.replica.close(),
  };
}

/**
 * The replicas at the addresses of a name. Where a lookup fails, or finds none, the last addresses stay in use. A
 * replica whose address is gone gets no more calls, and is closed when those that it has are over; where its address
 * returns before, it is used on, with its breaker as it is.
 */
function watchedReplicas(
  { name, url, resolver }: ServiceTarget & { readonly kind: "name" },
  { limits, random, pollMs, log }: ReplicaSetOptions,
): ReplicaSet {
  const used = new Map<string, GuardedReplica>();
  const retired = new Map<string, GuardedReplica>();
  const subset = createSubset();
  let current: readonly GuardedReplica[] = [];
  let isFailing = false;

  function use(addresses: readonly string[]): void {
    const wanted = new Set(subset(addresses));
    const added = [...wanted].filter((address) => !used.has(address));
    const removed = [...used.keys()].filter((address) => !wanted.has(address));
    for (const address of added) {
      used.set(address, retired.get(address) ?? guardReplica(createReplica(url, limits, always(address))));
      retired.delete(address);
    }
    for (const address of removed) {
      const replica = used.get(address);
      used.delete(address);
      if (replica !== undefined) retired.set(address, replica);
    }
    closeRetired();
    if (added.length === 0 && removed.length === 0) return;
    current = [...used.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, replica]) => replica);
    log?.info({ name, added, removed, used: used.size, found: addresses.length }, "addresses of a service changed");
  }

  /** Closes those that have no more calls, and the oldest where many are left because addresses change all the time. */
  function closeRetired(): void {
    for (const [address, { replica }] of retired) {
      const isIdle = replica.calls.load.requests === 0 && replica.streams.load.requests === 0;
      if (!isIdle && retired.size <= replicasMax) continue;
      retired.delete(address);
      replica.close();
    }
  }

  const watch = watchName(createNameLookup(name, resolver), {
    random,
    pollMs,
    onAddresses(addresses) {
      if (isFailing) log?.info({ name }, "name of a service found again");
      isFailing = false;
      use(addresses);
    },
    onFailure(error) {
      closeRetired();
      if (!isFailing) log?.warn({ name, err: error, used: used.size }, "name of a service not found, retrying");
      isFailing = true;
    },
  });

  return {
    current: () => current,
    lookedUp: watch.firstLookup,
    reportLoss: watch.lookAgain,
    close() {
      watch.stop();
      for (const { replica } of [...used.values(), ...retired.values()]) replica.close();
    },
  };
}

/** Connects to one address, whatever the name in the URL is. */
function always(address: string): LookupFunction {
  const family = isIPv6(address) ? 6 : 4;
  return (_name, { all }, callback) => {
    if (all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

/**
 * Returns a function that chooses as many addresses as a process may use. Each process has an order of its own, so that
 * together they use all addresses; and a change of a few addresses changes a few of those that are used.
 */
function createSubset(): (addresses: readonly string[]) => readonly string[] {
  const seed = randomUUID();
  return (addresses) => {
    if (addresses.length <= replicasMax) return addresses;
    const ranked = addresses.map((address) => [hash("sha1", `${seed} ${address}`), address] as const);
    return ranked
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, replicasMax)
      .map(([, address]) => address);
  };
}
