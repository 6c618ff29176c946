import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type FoldResult,
  foldStock,
  heldKey,
  type Reservation,
  type Stock,
  type StockDecision,
  type StockState,
} from "../src/stock/state.ts";

// Commands, the state before and the state after. "a 5/2" is product a with 5 on hand, 2 of them reserved; "x RESERVED
// a2" is order x with two of a; "!" gives the refusal.
const table = `
  state                              | command       | outcome                       | leaves
  a 5/0                              | reserve x a2  | DONE                          | a 5/2, x RESERVED a2
  a 5/4                              | reserve x a2  | OUT_OF_STOCK a                | x REFUSED a2 OUT_OF_STOCK
  a 5/0, b 1/1                       | reserve x a2 b1 | OUT_OF_STOCK b              | x REFUSED a2 b1 OUT_OF_STOCK
  a 5/0                              | reserve x z1  | PRODUCT_NOT_FOUND z           | x REFUSED z1 PRODUCT_NOT_FOUND
  a 5/0                              | reserve x a2 a2 | DONE                        | a 5/4, x RESERVED a4
  a 5/0                              | reserve x a3 a3 | OUT_OF_STOCK a              | x REFUSED a6 OUT_OF_STOCK
  a 5/2, x RESERVED a2               | reserve x a2  | DONE                          |
  a 5/2, x RESERVED a2               | reserve x a5  | DONE                          |
  a 5/0, x RELEASED a2               | reserve x a2  | RESERVATION_RELEASED          |
  a 3/0, x COMMITTED a2              | reserve x a2  | DONE                          |
  a 5/0, x REFUSED a9 OUT_OF_STOCK   | reserve x a1  | OUT_OF_STOCK a                |
  a 5/0                              | release x     | DONE                          | x RELEASED
  a 5/2, x RESERVED a2               | release x     | DONE                          | a 5/0, x RELEASED a2
  a 5/0, x RELEASED                  | release x     | DONE                          |
  a 5/0, x REFUSED a9 OUT_OF_STOCK   | release x     | DONE                          |
  a 3/0, x COMMITTED a2              | release x     | RESERVATION_COMMITTED         |
  a 5/2, x RESERVED a2               | commit x      | DONE                          | a 3/0, x COMMITTED a2
  a 3/0, x COMMITTED a2              | commit x      | DONE                          |
  a 5/0                              | commit x      | RESERVATION_NOT_FOUND         |
  a 5/0, x REFUSED a9 OUT_OF_STOCK   | commit x      | RESERVATION_NOT_FOUND         |
  a 5/0, x RELEASED a2               | commit x      | RESERVATION_RELEASED          |
  a 5/2                              | adjust a -3   | DONE                          | a 2/2
  a 5/2                              | adjust a -4   | STOCK_BELOW_RESERVED a        |
  a 5/2                              | adjust a +7   | DONE                          | a 12/2
  a 2147483647/0                     | adjust a +1   | STOCK_TOO_LARGE a             |
  a 5/2                              | adjust z +1   | PRODUCT_NOT_FOUND z           |
`;

describe("foldStock", () => {
  const rows = table.trim().split("\n").slice(1);
  it.each(rows.map((row) => row.split("|").map((cell) => cell.trim())))(
    "from %s: %s gives %s",
    (state, command, outcome, leaves) => {
      const folded = foldStock(stateOf(state ?? ""), [decisionOf(command ?? "")]);
      expect(folded.outcomes.map(outcomeText)).toEqual([outcome]);
      expect(rowsText(folded)).toBe(leaves);
    },
  );

  it("lets no account have more of a product reserved than is said, and takes no other account's for its own", () => {
    const of = (userId: string, text: string) => ({ ...decisionOf(text), userId }) as StockDecision;
    const folded = foldStock(
      stateOf("a 9/0, b 9/0"),
      [
        ...[of("ada", "reserve u a3"), of("ada", "reserve v a3"), of("bob", "reserve w a5"), of("ada", "reserve x b5")],
        ...["release u", "commit x"].map(decisionOf),
        ...[of("ada", "reserve y a1"), of("ada", "reserve z b5")],
      ],
      5,
    );
    expect(folded.outcomes.map(outcomeText)).toEqual([
      ...["DONE", "QUANTITY_LIMIT a", "DONE", "DONE", "DONE", "DONE", "DONE", "OUT_OF_STOCK b"],
    ]);
  });

  it("decides in the order of arrival: the first order gets the last item", () => {
    const folded = foldStock(
      stateOf("a 1/0"),
      ["reserve x a1", "reserve y a1", "release x", "reserve z a1"].map(decisionOf),
    );
    expect(folded.outcomes.map(outcomeText)).toEqual(["DONE", "OUT_OF_STOCK a", "DONE", "DONE"]);
    expect(rowsText(folded)).toBe("a 1/1, x RELEASED a1, y REFUSED a1 OUT_OF_STOCK, z RESERVED a1");
  });

  it("never oversells, never reserves a part of an order, and keeps its books", () => {
    fc.assert(
      fc.property(startingStock, fc.array(decision, { maxLength: 60 }), (start, decisions) => {
        const after = applied(start, foldStock(start, decisions, unshippedMax));
        const promised = { RESERVED: new Map<string, number>(), COMMITTED: new Map<string, number>() };
        for (const { state, items } of after.reservations.values()) {
          if (state !== "RESERVED" && state !== "COMMITTED") continue;
          for (const { productId, quantity } of items)
            promised[state].set(productId, (promised[state].get(productId) ?? 0) + quantity);
        }
        for (const row of after.stock.values()) {
          expect(row.reserved).toBeGreaterThanOrEqual(0);
          expect(row.onHand).toBeGreaterThanOrEqual(row.reserved);
          expect(BigInt(row.onHand) + row.shipped).toBe(row.received);
          for (const userId of ["ada", "bob"])
            expect(after.held.get(heldKey(userId, row.productId)) ?? 0).toBeLessThanOrEqual(unshippedMax);
          expect(row.reserved).toBe(promised.RESERVED.get(row.productId) ?? 0);
          expect(row.shipped).toBe(BigInt(promised.COMMITTED.get(row.productId) ?? 0));
        }
      }),
    );
  });

  it("gives for many at once what they would get one after the other, however they are divided into batches", () => {
    fc.assert(
      fc.property(
        startingStock,
        fc.array(fc.array(decision, { maxLength: 12 }), { maxLength: 6 }),
        (start, batches) => {
          const outcomes = { batched: [] as string[], single: [] as string[] };
          let batched = start;
          let single = start;
          for (const batch of batches) {
            const folded = foldStock(batched, batch, unshippedMax);
            outcomes.batched.push(...folded.outcomes.map(outcomeText));
            batched = applied(batched, folded);
            for (const one of batch) {
              const alone = foldStock(single, [one], unshippedMax);
              outcomes.single.push(...alone.outcomes.map(outcomeText));
              single = applied(single, alone);
            }
          }
          expect(outcomes.batched).toEqual(outcomes.single);
          expect(batched).toEqual(single);
        },
      ),
    );
  });

  it("answers every repetition as the first time, until the order moves on", () => {
    fc.assert(
      fc.property(startingStock, fc.array(decision, { maxLength: 30 }), orderCommand, (start, before, repeated) => {
        const state = applied(start, foldStock(start, before, unshippedMax));
        const once = foldStock(state, [repeated], unshippedMax);
        const after = applied(state, once);
        const twice = foldStock(after, [repeated], unshippedMax);
        expect(twice.outcomes).toEqual(once.outcomes);
        expect(applied(after, twice)).toEqual(after);
      }),
    );
  });

  it("writes each changed row once", () => {
    fc.assert(
      fc.property(startingStock, fc.array(decision, { maxLength: 60 }), (start, decisions) => {
        const { stock, reservations } = foldStock(start, decisions, unshippedMax);
        expect(new Set(stock.map((row) => row.productId)).size).toBe(stock.length);
        expect(new Set(reservations.map((row) => row.orderId)).size).toBe(reservations.length);
      }),
    );
  });
});

const productId = fc.constantFrom("a", "b", "c", "unknown");
const orderId = fc.constantFrom("u", "v", "w", "x", "y", "z");
const items = fc.array(fc.record({ productId, quantity: fc.integer({ min: 1, max: 4 }) }), {
  minLength: 1,
  maxLength: 3,
});
const unshippedMax = 5;
const userId = fc.constantFrom("ada", "bob", undefined);
const orderCommand: fc.Arbitrary<StockDecision> = fc.oneof(
  fc.record({ kind: fc.constant("reserve" as const), orderId, items, userId }),
  fc.record({ kind: fc.constant("release" as const), orderId }),
  fc.record({ kind: fc.constant("commit" as const), orderId }),
);
const decision: fc.Arbitrary<StockDecision> = fc.oneof(
  { weight: 4, arbitrary: orderCommand },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("adjust" as const), productId, delta: fc.integer({ min: -6, max: 6 }) }),
  },
);
const startingStock: fc.Arbitrary<StockState> = fc
  .tuple(...["a", "b", "c"].map((id) => fc.nat({ max: 9 }).map((onHand) => stockRow(id, onHand, 0))))
  .map((rows) => ({
    stock: new Map(rows.map((row) => [row.productId, row])),
    reservations: new Map(),
    held: new Map(),
  }));

function applied(state: StockState, { stock, reservations }: FoldResult): StockState {
  const all = new Map([...state.reservations, ...reservations.map((row) => [row.orderId, row] as const)]);
  return {
    stock: new Map([...state.stock, ...stock.map((row) => [row.productId, row] as const)]),
    reservations: all,
    held: heldBy([...all.values()]),
  };
}

function heldBy(reservations: readonly Reservation[]): Map<string, number> {
  const held = new Map<string, number>();
  for (const { state, userId, items } of reservations) {
    if (state !== "RESERVED" || userId === undefined) continue;
    for (const { productId, quantity } of items) {
      const key = heldKey(userId, productId);
      held.set(key, (held.get(key) ?? 0) + quantity);
    }
  }
  return held;
}

function stockRow(id: string, onHand: number, reserved: number): Stock {
  return { productId: id, onHand, reserved, received: BigInt(onHand), shipped: 0n };
}

function stateOf(text: string): StockState {
  const stock = new Map<string, Stock>();
  const reservations = new Map<string, Reservation>();
  for (const part of text.split(", ")) {
    const [id = "", word = "", ...rest] = part.split(" ");
    const [onHand, reserved] = word.split("/").map(Number);
    if (onHand !== undefined && reserved !== undefined) stock.set(id, stockRow(id, onHand, reserved));
    else reservations.set(id, reservationFrom(id, word, rest));
  }
  return { stock, reservations, held: new Map() };
}

function reservationFrom(orderId: string, state: string, rest: readonly string[]): Reservation {
  const items = itemsOf(rest.filter((word) => /^[a-z]\d/.test(word)));
  if (state === "REFUSED") return { orderId, items, state, refusal: { reason: "OUT_OF_STOCK", productId: "a" } };
  if (state !== "RESERVED" && state !== "RELEASED" && state !== "COMMITTED") throw new Error(`no such state: ${state}`);
  return { orderId, items, state };
}

function itemsOf(words: readonly string[]) {
  return words.map((word) => ({ productId: word.charAt(0), quantity: Number(word.slice(1)) }));
}

function decisionOf(text: string): StockDecision {
  const [kind, id = "", ...rest] = text.split(" ");
  if (kind === "reserve") return { kind, orderId: id, items: itemsOf(rest) };
  if (kind === "adjust") return { kind, productId: id, delta: Number(rest[0]) };
  if (kind === "release" || kind === "commit") return { kind, orderId: id };
  throw new Error(`no such command: ${text}`);
}

function outcomeText(outcome: FoldResult["outcomes"][number]): string {
  return outcome.kind === "DONE" ? "DONE" : [outcome.reason, outcome.productId].filter(Boolean).join(" ");
}

function rowsText({ stock, reservations }: FoldResult): string {
  return [
    ...stock.map((row) => `${row.productId} ${row.onHand}/${row.reserved}`),
    ...reservations.map((row) =>
      [
        row.orderId,
        row.state,
        ...row.items.map((item) => `${item.productId}${item.quantity}`),
        ...(row.state === "REFUSED" ? [row.refusal.reason] : []),
      ].join(" "),
    ),
  ].join(", ");
}
