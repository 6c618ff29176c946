import { describe, expect, it } from "vitest";
import { createRequestMemory, decideMemory, type HeldRequest } from "../src/request-memory.ts";

/** Large beside what a request is counted with before its first byte. */
const unit = 100 * 1024;
const bounds = { bytesMax: 1_000 * unit, addressBytesMax: 400 * unit, callerBytesMax: 200 * unit };

/** Opens a request, and tells whether it was given up for others. */
function open(memory: ReturnType<typeof createRequestMemory>, address: string | undefined, account?: string) {
  const state = { evicted: false, isHeld: false };
  const held = memory.open({ address, account: undefined }, () => {
    state.evicted = true;
  });
  state.isHeld = held !== undefined && (account === undefined || held.assignTo(account));
  return { state, held };
}

describe("the memory of requests", () => {
  it.each([
    [1_000, 400, 200, "hold"],
    [1_000, 400, 201, "caller"],
    [1_000, 401, 200, "address"],
    [1_001, 400, 200, "all"],
    [1_001, 401, 201, "caller"],
    [1_000, undefined, 200, "hold"],
    [1_000, undefined, undefined, "hold"],
  ] as const)("of %d units, %s by the address, %s by the caller: %s", (byAll, byAddress, byCaller, decision) => {
    const bytes = (count: number | undefined) => (count === undefined ? undefined : count * unit);
    expect(decideMemory({ byAll: byAll * unit, byAddress: bytes(byAddress), byCaller: bytes(byCaller) }, bounds)).toBe(
      decision,
    );
  });

  it("is bounded for a caller, wherever the account calls from", () => {
    const memory = createRequestMemory(bounds);
    const one = open(memory, "a", "greedy");
    const other = open(memory, "b", "greedy");
    expect(one.held?.grow(100 * unit)).toBe(true);
    expect(other.held?.grow(100 * unit)).toBe(false);
    other.held?.release();
    expect(open(memory, "b", "modest").held?.grow(100 * unit)).toBe(true);
  });

  it("is bounded for an address, whoever its accounts are", () => {
    const memory = createRequestMemory(bounds);
    const results = Array.from({ length: 10 }, (_, count) =>
      open(memory, "a", `account ${count}`).held?.grow(80 * unit),
    );
    expect(results.slice(0, 4)).toEqual([true, true, true, true]);
    expect(results).toContain(false);
    expect(open(memory, "b", "customer").held?.grow(80 * unit)).toBe(true);
  });

  it("counts requests that send nothing", () => {
    const memory = createRequestMemory(bounds);
    const opened = Array.from({ length: 2_000 }, () => open(memory, "a").held);
    expect(opened.filter((held) => held !== undefined)).toHaveLength(Math.floor((400 * unit) / (32 * 1024)));
  });

  it("is taken from the largest caller of the largest address where all hold too much, and never from the small", () => {
    const memory = createRequestMemory(bounds);
    const attackers = Array.from({ length: 9 }, (_, count) =>
      open(memory, `attacker ${count % 3}`, `account ${count}`),
    );
    for (const { held } of attackers) held?.grow(110 * unit);
    const customer = open(memory, "customer", "customer");
    expect(customer.held?.grow(50 * unit)).toBe(true);
    expect(customer.state.evicted).toBe(false);
    expect(attackers.filter(({ state }) => state.evicted)).toHaveLength(1);
  });

  it("is not taken from a request whose body is whole", () => {
    const memory = createRequestMemory(bounds);
    const held: HeldRequest[] = [];
    for (let count = 0; count < 9; count += 1) {
      const one = open(memory, `attacker ${count}`, `account ${count}`).held;
      one?.grow(110 * unit);
      one?.complete();
      if (one !== undefined) held.push(one);
    }
    expect(open(memory, "customer", "customer").held?.grow(50 * unit)).toBe(false);
    held[0]?.release();
    expect(open(memory, "another", "another").held?.grow(50 * unit)).toBe(true);
  });

  it("weighs callers that are counted by account only against addresses", () => {
    const memory = createRequestMemory(bounds);
    const backend = Array.from({ length: 4 }, (_, count) => open(memory, undefined, `account ${count}`));
    for (const { held } of backend) held?.grow(150 * unit);
    const small = Array.from({ length: 4 }, (_, count) => open(memory, `address ${count}`, `other ${count}`));
    for (const { held } of small) expect(held?.grow(105 * unit)).toBe(true);
    expect(backend.filter(({ state }) => state.evicted)).toHaveLength(1);
    expect(small.filter(({ state }) => state.evicted)).toHaveLength(0);
  });

  it("is free again when requests are released", () => {
    const memory = createRequestMemory(bounds);
    for (let round = 0; round < 20; round += 1) {
      const { held } = open(memory, "a", "account");
      expect(held?.grow(150 * unit)).toBe(true);
      held?.release();
      held?.release();
    }
  });
});
