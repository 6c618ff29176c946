import type { Holder } from "@rialto/async";

/** Memory of a request without its body: its head, its objects, its stream. */
export const requestBytesMin = 8 * 1024;

/**
 * Counted for an incomplete request in addition: its timers and signals, and the work of evicting it. It bounds the
 * number of incomplete requests.
 */
const incompleteBytes = 24 * 1024;

/** Bytes that requests may hold in memory. */
export interface RequestMemoryBounds {
  /** All together. Above it, the party with the most loses its largest incomplete request. */
  readonly bytesMax: number;
  /** One address. */
  readonly addressBytesMax: number;
  /** One account. Callers that are not signed in have the bound of their address. */
  readonly callerBytesMax: number;
}

/**
 * Bytes that are held, the requested ones included. `byAddress` and `byCaller` are undefined where they are not
 * counted.
 */
export interface MemoryHeld {
  readonly byAll: number;
  readonly byAddress: number | undefined;
  readonly byCaller: number | undefined;
}

/** Returns "hold" where the bytes are within all bounds, else the bound that they exceed, the narrowest first. */
export function decideMemory(held: MemoryHeld, bounds: RequestMemoryBounds): "hold" | "caller" | "address" | "all" {
  if ((held.byCaller ?? 0) > bounds.callerBytesMax) return "caller";
  if ((held.byAddress ?? 0) > bounds.addressBytesMax) return "address";
  return held.byAll > bounds.bytesMax ? "all" : "hold";
}

/** The memory that one request holds. */
export interface HeldRequest {
  /** Counts the request for an account, once that is known. Returns false where the account holds too much. */
  assignTo(account: string): boolean;
  /** Counts more bytes of its body. Returns false where they are too many; the caller then releases the request. */
  grow(bytes: number): boolean;
  /** Marks the body as complete: from now on the request is not evicted. */
  complete(): void;
  release(): void;
}

/** Counts the memory that requests hold until they are answered. */
export interface RequestMemory {
  /**
   * Counts a new request. `evict` is called when it loses its memory to others. Returns undefined where the request is
   * over a bound.
   */
  open(holder: Holder, evict: () => void): HeldRequest | undefined;
  /** Whether an address may have another request. Counts nothing. */
  hasMemoryFor(address: string): boolean;
}

/** Creates the count. It stores no body: its caller reports the bytes that it stores. */
export function createRequestMemory(bounds: RequestMemoryBounds): RequestMemory {
  return new Memory(bounds);
}

/** An address or an account, and its requests. */
interface Party {
  bytes: number;
  readonly entries: Set<Entry>;
}

class Memory implements RequestMemory {
  readonly addresses = new Map<string, Party>();
  readonly callers = new Map<string, Party>();
  byAll = 0;
  readonly #bounds: RequestMemoryBounds;

  constructor(bounds: RequestMemoryBounds) {
    this.#bounds = bounds;
  }

  hasMemoryFor(address: string): boolean {
    const held = this.addresses.get(address)?.bytes ?? 0;
    return held + requestBytesMin + incompleteBytes <= this.#bounds.addressBytesMax;
  }

  open(holder: Holder, evict: () => void): HeldRequest | undefined {
    const entry = new Entry(this, holder, evict);
    if (this.fits(entry)) return entry;
    entry.release();
    return undefined;
  }

  /**
   * Whether an entry is within bounds. Where all together exceed theirs, incomplete requests of the largest party are
   * evicted first.
   */
  fits(entry: Entry): boolean {
    let decision = this.#decide(entry);
    while (decision === "all") {
      const victim = largestIncomplete(this.addresses, this.callers);
      if (victim === undefined || victim === entry) return false;
      victim.evict();
      decision = this.#decide(entry);
    }
    return decision === "hold";
  }

  #decide({ byAddress, byCaller }: Entry): ReturnType<typeof decideMemory> {
    const held = { byAll: this.byAll, byAddress: byAddress?.bytes, byCaller: byCaller?.bytes };
    return decideMemory(held, this.#bounds);
  }
}

/** A request that is counted. Each request has one, and a class costs less than an object with functions of its own. */
class Entry implements HeldRequest {
  holder: Holder;
  /** Its address and its account, as far as they are counted. */
  byAddress: Party | undefined;
  byCaller: Party | undefined;
  bytes = requestBytesMin + incompleteBytes;
  /** Its body is still arriving: it can be evicted, as no work was done for it. */
  isIncomplete = true;
  readonly #memory: Memory;
  readonly #onEvict: () => void;
  #isOpen = true;

  constructor(memory: Memory, holder: Holder, onEvict: () => void) {
    this.holder = holder;
    this.#memory = memory;
    this.#onEvict = onEvict;
    memory.byAll += this.bytes;
    this.byAddress = join(memory.addresses, holder.address, this);
    this.byCaller = join(memory.callers, holder.account, this);
  }

  assignTo(account: string): boolean {
    if (!this.#isOpen) return false;
    leave(this.#memory.callers, this.holder.account, this.byCaller, this);
    this.holder = { address: this.holder.address, account };
    this.byCaller = join(this.#memory.callers, account, this);
    return this.#memory.fits(this);
  }

  grow(bytes: number): boolean {
    if (!this.#isOpen) return false;
    this.#count(bytes);
    return this.#memory.fits(this);
  }

  complete(): void {
    if (!this.#isOpen || !this.isIncomplete) return;
    this.isIncomplete = false;
    this.#count(-incompleteBytes);
  }

  release(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#memory.byAll -= this.bytes;
    leave(this.#memory.addresses, this.holder.address, this.byAddress, this);
    leave(this.#memory.callers, this.holder.account, this.byCaller, this);
  }

  /** Takes its memory away, and tells who receives its body. */
  evict(): void {
    this.release();
    this.isIncomplete = false;
    this.#onEvict();
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#memory.byAll += bytes;
    if (this.byAddress !== undefined) this.byAddress.bytes += bytes;
    if (this.byCaller !== undefined) this.byCaller.bytes += bytes;
  }
}

/** Counts an entry for its party, which is counted from its first entry to its last. Returns the party. */
function join(parties: Map<string, Party>, key: string | undefined, entry: Entry): Party | undefined {
  if (key === undefined) return undefined;
  const party = parties.get(key) ?? { bytes: 0, entries: new Set() };
  if (party.entries.size === 0) parties.set(key, party);
  party.bytes += entry.bytes;
  party.entries.add(entry);
  return party;
}

function leave(parties: Map<string, Party>, key: string | undefined, party: Party | undefined, entry: Entry): void {
  if (key === undefined || party === undefined) return;
  party.bytes -= entry.bytes;
  party.entries.delete(entry);
  if (party.entries.size === 0) parties.delete(key);
}

/** Returns the largest incomplete request of the largest caller at the largest address that has one. */
function largestIncomplete(
  addresses: ReadonlyMap<string, Party>,
  callers: ReadonlyMap<string, Party>,
): Entry | undefined {
  const address = largest(addresses, () => true);
  // Callers that are counted by account only have no address: each of them is compared with the addresses.
  const unaddressed = largest(callers, ({ holder }) => holder.address === undefined);
  if (address === undefined || (unaddressed !== undefined && unaddressed.bytes > address.bytes))
    return largestOf(unaddressed);
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
      if (!entry.isIncomplete || !counts(entry)) continue;
      found = party;
      break;
    }
  }
  return found;
}

function largestOf(party: Party | undefined): Entry | undefined {
  let found: Entry | undefined;
  for (const entry of party?.entries ?? []) {
    if (entry.isIncomplete && (found === undefined || entry.bytes > found.bytes)) found = entry;
  }
  return found;
}
