import type { Holder } from "./fair-share.ts";

/** What each request holds before its body: its head, its objects, its stream. */
export const requestBytesMin = 8 * 1024;

/** What each unfinished one is counted with beside: its timers and signals, and the work of giving it up. It is what bounds their number. */
const unfinishedBytes = 24 * 1024;

/** Bytes that requests may hold. */
export interface RequestMemoryBounds {
  /** All together. Where it is passed, the party with the most loses its largest unfinished request. */
  readonly bytesMax: number;
  /** One address. */
  readonly addressBytesMax: number;
  /** One account. Those who are not signed in have the bound of their address. */
  readonly callerBytesMax: number;
}

/** What is held with the bytes that are asked for. `address` and `caller` are undefined where they do not count. */
export interface MemoryHeld {
  readonly byAll: number;
  readonly byAddress: number | undefined;
  readonly byCaller: number | undefined;
}

/** Whether so much may be held: by whom it is too much where it may not, the narrowest bound first. */
export function decideMemory(held: MemoryHeld, bounds: RequestMemoryBounds): "hold" | "caller" | "address" | "all" {
  if ((held.byCaller ?? 0) > bounds.callerBytesMax) return "caller";
  if ((held.byAddress ?? 0) > bounds.addressBytesMax) return "address";
  return held.byAll > bounds.bytesMax ? "all" : "hold";
}

/** One request as it is counted. */
interface Entry {
  readonly holder: Holder;
  bytes: number;
  /** Its body is still arriving, so it can be given up: nothing was done for it yet. */
  isUnfinished: boolean;
  readonly giveUp: () => void;
}

/** The memory that one request holds. */
export interface HeldRequest {
  /** Says which account it is of, once that is known. False where the account holds too much already. */
  isOf(account: string): boolean;
  /** Counts more bytes of its body. False where they are too many; the caller then releases the request. */
  hold(bytes: number): boolean;
  /** Its body is whole: from now on it is not given up for others. */
  finished(): void;
  release(): void;
}

/** Counts what requests hold until they are answered. */
export interface RequestMemory {
  /** Counts a new request. `giveUp` is called where it loses its memory to others. Undefined where there is no room for it. */
  open(holder: Holder, giveUp: () => void): HeldRequest | undefined;
  /** Whether an address may have another request. It costs nothing to ask. */
  hasRoomFor(address: string): boolean;
}

/** A party that requests are grouped by when somebody has to lose one, and what it holds. */
interface Party {
  bytes: number;
  readonly entries: Set<Entry>;
}

/** Makes the count. It keeps no body: who holds bytes says so. */
export function createRequestMemory(bounds: RequestMemoryBounds): RequestMemory {
  const addresses = new Map<string, Party>();
  const callers = new Map<string, Party>();
  let byAll = 0;

  function enter(entry: Entry): void {
    byAll += entry.bytes;
    for (const [parties, key] of keysOf(entry.holder)) {
      const party = parties.get(key) ?? { bytes: 0, entries: new Set() };
      party.bytes += entry.bytes;
      party.entries.add(entry);
      parties.set(key, party);
    }
  }

  function leave(entry: Entry): void {
    byAll -= entry.bytes;
    for (const [parties, key] of keysOf(entry.holder)) {
      const party = parties.get(key);
      if (party === undefined) continue;
      party.bytes -= entry.bytes;
      party.entries.delete(entry);
      if (party.entries.size === 0) parties.delete(key);
    }
  }

  function grow(entry: Entry, bytes: number): void {
    entry.bytes += bytes;
    byAll += bytes;
    for (const [parties, key] of keysOf(entry.holder)) {
      const party = parties.get(key);
      if (party !== undefined) party.bytes += bytes;
    }
  }

  const keysOf = ({ address, account }: Holder): readonly (readonly [Map<string, Party>, string])[] => {
    return [
      ...(address === undefined ? [] : [[addresses, address] as const]),
      ...(account === undefined ? [] : [[callers, account] as const]),
    ];
  };

  /** Whether what an entry now holds stays within bounds; where all hold too much, the largest party gives something up. */
  function fits(entry: Entry): boolean {
    const { address } = entry.holder;
    const caller = entry.holder.account;
    const decide = () =>
      decideMemory(
        {
          byAll,
          byAddress: address === undefined ? undefined : addresses.get(address)?.bytes,
          byCaller: caller === undefined ? undefined : callers.get(caller)?.bytes,
        },
        bounds,
      );
    let decision = decide();
    while (decision === "all") {
      const loser = largestUnfinished(addresses, callers);
      if (loser === undefined || loser === entry) return false;
      leave(loser);
      loser.isUnfinished = false;
      loser.giveUp();
      decision = decide();
    }
    return decision === "hold";
  }

  return {
    hasRoomFor: (address) =>
      (addresses.get(address)?.bytes ?? 0) + requestBytesMin + unfinishedBytes <= bounds.addressBytesMax,
    open(holder, giveUp) {
      let isOpen = true;
      const close = (entry: Entry) => {
        if (isOpen) leave(entry);
        isOpen = false;
      };
      const made = (of: Holder, before?: Entry): Entry => ({
        holder: of,
        bytes: before?.bytes ?? requestBytesMin + unfinishedBytes,
        isUnfinished: before?.isUnfinished ?? true,
        giveUp: () => {
          isOpen = false;
          giveUp();
        },
      });
      let entry = made(holder);
      enter(entry);
      if (!fits(entry)) {
        close(entry);
        return undefined;
      }
      return {
        isOf(account) {
          if (!isOpen) return false;
          leave(entry);
          entry = made({ ...holder, account }, entry);
          enter(entry);
          return fits(entry);
        },
        hold(bytes) {
          if (!isOpen) return false;
          grow(entry, bytes);
          return fits(entry);
        },
        finished() {
          if (!isOpen || !entry.isUnfinished) return;
          entry.isUnfinished = false;
          grow(entry, -unfinishedBytes);
        },
        release: () => close(entry),
      };
    },
  };
}

/** The largest unfinished request of the largest caller at the largest address that has one. */
function largestUnfinished(
  addresses: ReadonlyMap<string, Party>,
  callers: ReadonlyMap<string, Party>,
): Entry | undefined {
  const address = largest(addresses, () => true);
  // Callers that are counted by account only have no address: they are weighed against the addresses, each for itself.
  const alone = largest(callers, ({ holder }) => holder.address === undefined);
  if (address === undefined || (alone !== undefined && alone.bytes > address.bytes)) return largestOf(alone);
  const caller = largest(groupedByCaller(address), () => true);
  return largestOf(caller);
}

function groupedByCaller({ entries }: Party): ReadonlyMap<string, Party> {
  const groups = new Map<string, Party>();
  for (const entry of entries) {
    const key = entry.holder.account ?? "";
    const group = groups.get(key) ?? { bytes: 0, entries: new Set() };
    group.bytes += entry.bytes;
    group.entries.add(entry);
    groups.set(key, group);
  }
  return groups;
}

function largest(parties: ReadonlyMap<string, Party>, counts: (entry: Entry) => boolean): Party | undefined {
  let found: Party | undefined;
  for (const party of parties.values()) {
    if (found !== undefined && party.bytes <= found.bytes) continue;
    for (const entry of party.entries) {
      if (!entry.isUnfinished || !counts(entry)) continue;
      found = party;
      break;
    }
  }
  return found;
}

function largestOf(party: Party | undefined): Entry | undefined {
  let found: Entry | undefined;
  for (const entry of party?.entries ?? []) {
    if (entry.isUnfinished && (found === undefined || entry.bytes > found.bytes)) found = entry;
  }
  return found;
}
