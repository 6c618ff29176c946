import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSharedPlaces, type Holder, mayTakePlace } from "../src/fair-share.ts";

const of = (address: string | undefined, account?: string): Holder => ({ address, account });

/** Takes places until one is refused, and tells how many were given. */
function fill(
  places: ReturnType<typeof createSharedPlaces>,
  holderOf: (count: number) => Holder,
  tries = 2_000,
): number {
  let given = 0;
  for (let count = 0; count < tries; count += 1) if (places.acquire(holderOf(count)) !== undefined) given += 1;
  return given;
}

describe("places that are shared", () => {
  it.each([
    // places, taken by all, by the address, by the account: may another be taken
    [1_000, 0, 0, 0, true],
    [1_000, 699, 699, 699, true],
    [1_000, 700, 700, 0, false],
    [1_000, 700, 0, 0, true],
    [1_000, 900, 233, 0, true],
    [1_000, 900, 234, 0, false],
    [1_000, 999, 0, 0, true],
    [1_000, 999, 2, 0, true],
    [1_000, 999, 3, 0, false],
    [1_000, 1_000, 0, 0, false],
    // An account in an address that has some left: one with few goes on where one with many is stopped.
    [1_000, 750, 500, 500, false],
    [1_000, 750, 500, 60, true],
    // Where addresses do not count, accounts do.
    [1_000, 900, undefined, 234, false],
    [1_000, 900, undefined, 0, true],
    // Nobody is signed in.
    [1_000, 900, 10, undefined, true],
    [1, 0, 0, 0, true],
    [0, 0, 0, 0, false],
  ])("of %j, %j taken, %j by the address, %j by the account: %j", (max, byAll, byAddress, byAccount, may) => {
    expect(mayTakePlace({ max, byAll, byAddress, byAccount })).toBe(may);
  });

  it("are refused to nobody below 70 % of them", () => {
    const below = fc.tuple(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.69999, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(below, ([max, fullness, part]) => {
        const byAll = Math.floor(max * fullness);
        const byAddress = Math.floor(byAll * part);
        return mayTakePlace({ max, byAll, byAddress, byAccount: byAddress });
      }),
    );
  });

  it("are refused to who has more before they are refused to who has less", () => {
    const count = fc.nat({ max: 1_000 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), count, count, count, (max, byAll, one, other) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        const may = (byAddress: number) => mayTakePlace({ max, byAll, byAddress, byAccount: undefined });
        return may(less) || !may(more);
      }),
    );
  });

  it("are left for others by one address with many accounts, which has 70 % where it is alone", () => {
    const places = createSharedPlaces(() => 1_000);
    expect(fill(places, (count) => of("attacker", `account ${count % 50}`))).toBe(700);
    expect(fill(places, (count) => of(`customer ${count}`, `customer ${count}`), 100)).toBe(100);
  });

  it("are left for others by twenty such addresses", () => {
    const places = createSharedPlaces(() => 1_000);
    const given = fill(places, (count) => of(`attacker ${count % 20}`, `account ${count % 1_000}`), 20_000);
    expect(given).toBeGreaterThan(950);
    expect(given).toBeLessThan(1_000);
    expect(places.acquire(of("customer", "customer"))).toBeDefined();
  });

  it("serve 500 accounts behind one address at once", () => {
    const places = createSharedPlaces(() => 1_000);
    expect(fill(places, (count) => of("office", `account ${count}`), 500)).toBe(500);
  });

  it("serve an account with few beside one with many at the same address", () => {
    const places = createSharedPlaces(() => 1_000);
    fill(places, (count) => of(`other ${count}`, `other ${count}`), 600);
    fill(places, () => of("office", "greedy"));
    expect(places.acquire(of("office", "greedy"))).toBeUndefined();
    expect(places.acquire(of("office", "modest"))).toBeDefined();
  });

  it("count an account at all addresses together, and where its addresses do not count", () => {
    const places = createSharedPlaces(() => 1_000);
    fill(places, (count) => of(`backend ${count}`, "greedy"));
    expect(places.acquire(of("elsewhere", "greedy"))).toBeUndefined();
    expect(places.acquire(of(undefined, "greedy"))).toBeUndefined();
    expect(places.acquire(of(undefined, "modest"))).toBeDefined();
  });

  it("are free again when they are given back, once", () => {
    const places = createSharedPlaces(() => 2);
    const release = places.acquire(of("one"));
    places.acquire(of("two"));
    expect(places.isFreeFor(of("three"))).toBe(false);
    release?.();
    release?.();
    expect(places.acquire(of("three"))).toBeDefined();
    expect(places.isFreeFor(of("three"))).toBe(false);
  });
});
