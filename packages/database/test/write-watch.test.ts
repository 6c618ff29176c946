import { describe, expect, it } from "vitest";
import { watchWrites } from "../src/connection/write-watch.ts";

const outage = Object.assign(new Error("no disk is left"), { code: "53100" });
const refused = Object.assign(new Error("duplicate"), { code: "23505" });

describe("writes", () => {
  let now = 0;
  const open = () => {
    now = 0;
    const writes = watchWrites(() => now);
    const fail = (error: Error) => writes.watch(() => Promise.reject(error)).catch(() => undefined);
    return { ...writes, fail, succeed: () => writes.watch(async () => undefined) };
  };

  it("are failing once every one of 10 s was an outage", async () => {
    const writes = open();
    await writes.fail(outage);
    now = 9_000;
    await writes.fail(outage);
    expect(writes.areFailing()).toBe(false);
    now = 10_000;
    expect(writes.areFailing()).toBe(true);
  });

  it.each([
    ["one that succeeds", (writes: ReturnType<typeof open>) => writes.succeed()],
    ["one that Postgres refuses for what it is", (writes: ReturnType<typeof open>) => writes.fail(refused)],
  ])("are not failing after %s", async (_, between) => {
    const writes = open();
    await writes.fail(outage);
    now = 9_000;
    await between(writes);
    await writes.fail(outage);
    now = 11_000;
    expect(writes.areFailing()).toBe(false);
  });

  it("are not failing when none was tried for 10 s: somebody must find out", async () => {
    const writes = open();
    await writes.fail(outage);
    now = 10_000;
    await writes.fail(outage);
    now = 21_000;
    expect(writes.areFailing()).toBe(false);
  });

  it("are not failing for one that fails long after another: nothing is known of the time between", async () => {
    const writes = open();
    await writes.fail(outage);
    now = 3 * 3_600_000;
    await writes.fail(outage);
    expect(writes.areFailing()).toBe(false);
  });

  it("are failing again with the first one that fails soon after nobody tried any", async () => {
    const writes = open();
    await writes.fail(outage);
    now = 10_000;
    await writes.fail(outage);
    now = 35_000;
    await writes.fail(outage);
    expect(writes.areFailing()).toBe(true);
  });
});
