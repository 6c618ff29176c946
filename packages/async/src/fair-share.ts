/** Below this share of the places every request for one is granted. */
const uncontendedShare = 0.7;

/**
 * Above it, one party may hold this multiple of the free places. The value makes both rules meet: a party that is alone
 * is refused exactly when it holds 70 % of all places.
 */
const allowancePerFree = uncontendedShare / (1 - uncontendedShare);

/** Who asks for a place. An undefined part is not counted. */
export interface Holder {
  /** The network that the request comes from, as `limitKeyOf` returns it. */
  readonly address: string | undefined;
  /** The signed-in account. */
  readonly account: string | undefined;
}

/** How many of the places are taken, by all and by the holder that asks for another. */
export interface PlacesTaken {
  readonly max: number;
  readonly byAll: number;
  /** By the holder's address; undefined where it is not counted. */
  readonly byAddress: number | undefined;
  /** By the holder's account; undefined where it is not signed in. */
  readonly byAccount: number | undefined;
}

/**
 * Decides whether a holder may take another place. Below 70 % of the places it always may. Above it, parties with the
 * most places are refused first, by address and then by account: an address may hold 7/3 of the free places, and an
 * account what its address has left of that. So the allowance shrinks as places fill, a party with many is refused
 * while one with few is not, and the last place goes to a party that has none. (Dynamic thresholds, Choudhury and Hahne
 * 1998: how network switches share their buffers.)
 */
export function mayTakePlace({ max, byAll, byAddress, byAccount }: PlacesTaken): boolean {
  if (byAll >= max) return false;
  if (byAll < max * uncontendedShare) return true;
  const allowance = (max - byAll) * allowancePerFree;
  if (byAddress !== undefined && byAddress >= allowance) return false;
  return byAccount === undefined || byAccount < allowance - (byAddress ?? 0) || byAccount === 0;
}

/** A bounded number of places that all holders share. */
export interface SharedPlaces {
  /** Takes a place, and returns the function that releases it; undefined where the holder may not have one. */
  acquire(holder: Holder): (() => void) | undefined;
  /** Whether `acquire` would return a place now. */
  isFreeFor(holder: Holder): boolean;
  /** Takes a place whatever the holder's share is, where fewer than `max` are taken. */
  acquireUpTo(max: number, holder: Holder): (() => void) | undefined;
}

/**
 * Creates the places. Their number is read at each decision: it may change, for example with the number of replicas.
 */
export function createSharedPlaces(max: () => number): SharedPlaces {
  const addresses = new Map<string, number>();
  const accounts = new Map<string, number>();
  let byAll = 0;

  const isFreeFor = ({ address, account }: Holder) =>
    mayTakePlace({ max: max(), byAll, byAddress: countOf(addresses, address), byAccount: countOf(accounts, account) });
  const acquire = ({ address, account }: Holder): (() => void) => {
    byAll += 1;
    add(addresses, address, 1);
    add(accounts, account, 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      byAll -= 1;
      add(addresses, address, -1);
      add(accounts, account, -1);
    };
  };
  return {
    isFreeFor,
    acquire: (holder) => (isFreeFor(holder) ? acquire(holder) : undefined),
    acquireUpTo: (most, holder) => (byAll < most ? acquire(holder) : undefined),
  };
}

function countOf(counts: ReadonlyMap<string, number>, key: string | undefined): number | undefined {
  return key === undefined ? undefined : (counts.get(key) ?? 0);
}

/** Adds to a count. A count of zero is deleted, so that the map holds only parties with places. */
function add(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return;
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
