import { validate, version } from "uuid";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createIds } from "../src/new-ids.ts";

describe("new ids", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }));
  afterEach(() => void vi.useRealTimers());

  it("are UUIDs of version 7 with the time that they were made", () => {
    const id = createIds()();
    expect(validate(id)).toBe(true);
    expect(version(id)).toBe(7);
    expect(Number.parseInt(id.replace("-", "").slice(0, 12), 16)).toBe(Date.now());
  });

  it("sort as they were made, within a millisecond, over several, and where the clock is set back", () => {
    const newId = createIds();
    const ids: string[] = [];
    for (const stepMs of [0, 1, -1_000, 5_000]) {
      vi.setSystemTime(Date.now() + stepMs);
      for (let n = 0; n < 1_000; n += 1) ids.push(newId());
    }
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("differ between two processes in the same millisecond", () => {
    expect(createIds()()).not.toBe(createIds()());
  });
});
