import { createLogger } from "@rialto/telemetry";
import { describe, expect, it } from "vitest";
import { createTeardown } from "../src/process/teardown.ts";

const silent = createLogger({ service: "test", level: "silent" });

describe("createTeardown", () => {
  it("stops the last started first, and what has one name together", async () => {
    const events: string[] = [];
    const teardown = createTeardown(silent);
    const step = (name: string) => async () => {
      events.push(`${name} begins`);
      await Promise.resolve();
      events.push(`${name} ends`);
    };
    teardown.add("databases", step("database"));
    teardown.add("workers", step("a worker"));
    teardown.add("workers", step("another"));
    await teardown.run();
    expect(events).toEqual([
      "a worker begins",
      "another begins",
      "a worker ends",
      "another ends",
      "database begins",
      "database ends",
    ]);
  });

  it("goes on when a step fails", async () => {
    let closed = false;
    const teardown = createTeardown(silent);
    teardown.add("databases", () => {
      closed = true;
    });
    teardown.add("workers", () => Promise.reject(new Error("will not stop")));
    await teardown.run();
    expect(closed).toBe(true);
  });

  it("leaves a step behind that hangs", async () => {
    let closed = false;
    const teardown = createTeardown(silent);
    teardown.add("databases", () => {
      closed = true;
    });
    teardown.add("workers", () => new Promise(() => undefined));
    await teardown.run();
    expect(closed).toBe(true);
  });

  it("stops everything once, however often it is told", async () => {
    let times = 0;
    const teardown = createTeardown(silent);
    teardown.add("databases", () => {
      times += 1;
    });
    await Promise.all([teardown.run(), teardown.run()]);
    expect(times).toBe(1);
  });
});
