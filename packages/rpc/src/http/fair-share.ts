/** Share of the places that anybody may take, whatever they have already. */
const uncontendedShare = 0.7;

/**
 * How much of what is free one party may hold above that. It makes the bound meet the uncontended share: a party that is alone is refused exactly when it
 * holds 70 % of all places, and none is refused below.
 */
const allowancePerFree = uncontendedShare / (1 - uncontendedShare);

/** Who would hold a place. What is undefined is not counted. */
export interface Holder {
  /** The network that the request comes from, as `limitKeyOf` writes it. */
  readonly address: string | undefined;
  /** The signed-in account. */
  readonly account: string | undefined;
}

/** How many of the places are taken, by all and by the one who asks for another. */
export interface PlacesTaken {
  readonly max: number;
  readonly byAll: number;
  /** By the asker's address; undefined where addresses do not count for this asker. */
  readonly byAddress: number | undefined;
  /** By the asker's account; undefined where nobody is signed in. */
  readonly byAccount: number | undefined;
}

/**
 * Whether the asker may take another place. Below 70 % of the places everybody may. Above it, those with the most are refused first, by address and then
 * by account: an address may hold 7/3 of what is free, and an account what its address has left of that. So the allowance shrinks as places fill, a party
 * with many is stopped while one with few goes on, and the last place goes to a party that has none. (Dynamic thresholds, Choudhury and Hahne 1998, as
 * switches share their buffers.)
 */
export function mayTakePlace({ max, byAll, byAddress, byAccount }: PlacesTaken): boolean {
  if (byAll >= max) return false;
  if (byAll < max * uncontendedShare) return true;
  const allowance = (max - byAll) * allowancePerFree;
  if (byAddress !== undefined && byAddress >= allowance) return false;
  return byAccount === undefined || byAccount < allowance - (byAddress ?? 0) || byAccount === 0;
}

/** A bounded number of places, shared by all who come. */
export interface SharedPlaces {
  /** Takes a place, and returns the function that gives it back; undefined where the asker may not have one. */
  acquire(holder: Holder): (() => void) | undefined;
  /** Whether `acquire` would give a place now. */
  isFreeFor(holder: Holder): boolean;
  /** Takes a place where shares do not apply, up to a bound of its own. */
  acquireUpTo(max: number, holder: Holder): (() => void) | undefined;
}

/** Makes the places. Their number is asked at each decision: it may depend on what is up. */
export function createSharedPlaces(max: () => number): SharedPlaces {
  const addresses = new Map<string, number>();
  const accounts = new Map<string, number>();
  let byAll = 0;

  const isFreeFor = ({ address, account }: Holder) =>
    mayTakePlace({ max: max(), byAll, byAddress: countOf(addresses, address), byAccount: countOf(accounts, account) });
  const take = ({ address, account }: Holder): (() => void) => {
    byAll += 1;
    add(addresses, address, 1);
    add(accounts, account, 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      byAll -= 1;
      add(addresses, address, -1);
      add(accounts, account, -1);
    };
  };
  return {
    isFreeFor,
    acquire: (holder) => (isFreeFor(holder) ? take(holder) : undefined),
    acquireUpTo: (most, holder) => (byAll < most ? take(holder) : undefined),
  };
}

function countOf(counts: ReadonlyMap<string, number>, key: string | undefined): number | undefined {
  return key === undefined ? undefined : (counts.get(key) ?? 0);
}

/** Counts up or down. A count of zero is forgotten: a map of counts holds only those who hold something. */
function add(counts: Map<string, number>, key: string | undefined, change: number): void {
  if (key === undefined) return;
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
