import { setTimeout as sleep } from "node:timers/promises";
import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { every, runSchedule } from "../src/schedules/schedule.ts";

let database: TestDatabase;

beforeAll(async () => {
  const migrations = new URL("./fixture/order-migrations/", import.meta.url);
  database = await testDatabase({ schemas: [{ name: "order", migrations }] });
});

afterAll(async () => {
  await database.close();
});

describe("a schedule", () => {
  it("runs on one replica at a time, interval after interval", async () => {
    const ran: string[] = [];
    const replicas = ["a", "b", "c"].map((holder) =>
      replica(holder, "one-at-a-time", async () => void ran.push(holder)),
    );
    await until(() => ran.length >= 5);
    await stopAll(replicas);
    expect(new Set(ran).size).toBe(1);
  });

  it("goes over to another replica as soon as the one that ran it stops", async () => {
    const ran: string[] = [];
    const first = replica("a", "handed-over", async () => void ran.push("a"));
    await until(() => ran.length > 0);
    const second = replica("b", "handed-over", async () => void ran.push("b"));
    await first.stop();
    await until(() => ran.includes("b"));
    await second.stop();
  });

  it("comes again after a failure", async () => {
    let runs = 0;
    const running = replica("a", "failing", async () => {
      runs += 1;
      throw new Error("nothing works today");
    });
    await until(() => runs >= 3);
    await running.stop();
  });

  it("aborts its work when it is stopped, and waits for it", async () => {
    const story: string[] = [];
    const running = replica("a", "slow", async (signal) => {
      story.push("began");
      await sleep(60_000, undefined, { signal }).catch(() => undefined);
      story.push("ended");
    });
    await until(() => story.length > 0);
    await running.stop();
    expect(story).toEqual(["began", "ended"]);
    const leases = await database.sql`select 1 from "order".lease where name = 'slow'`;
    expect(leases).toHaveLength(0);
  });
});

function replica(holder: string, name: string, run: (signal: AbortSignal) => Promise<void>) {
  const schedule = every("20ms", name, run);
  return runSchedule({ schedule, sql: database.database("order").sql, holder, log: quietLogger });
}

async function stopAll(running: readonly { stop(): Promise<void> }[]): Promise<void> {
  await Promise.all(running.map((one) => one.stop()));
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5);
}
