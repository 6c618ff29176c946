import { expect, it } from "vitest";
import { createRecentMap } from "../src/recent-map.ts";

const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `${from + n}`);

it("a recent map keeps what is used, however many others come, and drops what is not", () => {
  const map = createRecentMap<number>(10);
  map.set("used", 1);
  map.set("left", 2);
  for (const key of keys(0, 100)) {
    map.set(key, 0);
    expect(map.get("used")).toBe(1);
  }
  expect(map.get("left")).toBeUndefined();
});

it("a recent map holds no more than it may, whatever is set and looked up", () => {
  const map = createRecentMap<string>(10);
  for (const key of keys(0, 1_000)) {
    map.set(key, key);
    map.get(`${Math.floor(Number(key) / 3)}`);
  }
  const left = keys(0, 1_000).filter((key) => map.get(key) !== undefined);
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThanOrEqual(10);
});

it("a recent map has the last value of a key", () => {
  const map = createRecentMap<number>(4);
  map.set("a", 1);
  map.set("b", 1);
  map.set("a", 2);
  expect(map.get("a")).toBe(2);
});
