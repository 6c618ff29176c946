import { describe, expect, it } from "vitest";
import type { TableSize } from "../measure/table-sizes.ts";
import { isSteady, type Minute, perOrderText } from "../soak/minutes.ts";

const mebibyte = 2 ** 20;
const outbox = (mebibytes: number): TableSize => ({
  ...{ table: "order.outbox", rows: 100, deadRows: 0, inserted: 300 },
  ...{ tableBytes: mebibytes * mebibyte, indexBytes: 0 },
});
const minutes = (sizes: readonly number[], p99Ms = 10): readonly Minute[] =>
  sizes.map((size, at) => ({
    ...{ minute: at + 1, confirmed: 1, failed: 0, p50Ms: 1, p99Ms, walBytes: 1 },
    tables: [outbox(size)],
  }));

describe("a soak", () => {
  const said: string[] = [];
  const print = (line: string) => void said.push(line);

  it("is steady where the tables stand still after their retention", () => {
    expect(isSteady(minutes([1, 10, 20, 21, 20, 24]), print)).toBe(true);
    expect(said).toEqual([]);
  });

  it("names the table that goes on growing, and a p99 that does", () => {
    expect(isSteady(minutes([1, 5, 10, 20, 30, 41]), print)).toBe(false);
    expect(isSteady([...minutes([1, 1, 1, 1]), ...minutes([1, 1], 30)], print)).toBe(false);
    expect(said).toEqual(["order.outbox has grown from 20480 KiB to 41984 KiB", "p99 has grown from 10.0 to 30.0 ms"]);
  });

  it("says what an order adds to each table", () => {
    expect(
      perOrderText([{ ...outbox(0), tableBytes: 50_000, indexBytes: 1_000 }], 100)
        .split("\n")
        .at(-1),
    ).toBe("| order.outbox | 3.00 | 500 | 10 |");
  });
});
