import type { Database } from "@rialto/database";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Envelope } from "../src/event/envelope.ts";
import { claimPending, reschedule } from "../src/inbox/pending.ts";
import { createSlowLeases } from "../src/inbox/slow-leases.ts";

const subscription = { name: "desk", topics: ["shop.*"] };

let postgres: TestDatabase;
let desk: Database;

beforeAll(async () => {
  postgres = await testDatabase({
    schemas: [{ name: "desk", migrations: new URL("./desk/migrations", import.meta.url) }],
  });
  desk = postgres.database("desk");
});
beforeEach(async () => {
  await desk.sql`delete from inbox_pending`;
});
afterAll(() => postgres.close());

function envelope(): Envelope {
  const [id, time] = [uuidv7(), new Date()];
  const json = { id, topic: "shop.sold", subject: id, version: 1, time: time.toISOString(), payload: {} };
  return { id, topic: "shop.sold", subject: id, version: 1, time, traceparent: "", payload: {}, json };
}

/** The leases of a process, whose clock only goes on with `renewLater`. */
function leasesOf() {
  let time = 0;
  const leases = createSlowLeases(desk.sql, subscription, () => time);
  return {
    ...leases,
    async renewLater() {
      time += 3_000;
      await leases.renew();
    },
  };
}

const secondsLeft = async ({ id }: Envelope) => {
  const [row] = await desk.sql<{ seconds: number }[]>`
    select extract(epoch from next_time - now())::float8 as seconds from inbox_pending where event_id = ${id}`;
  return row?.seconds;
};
const expire = () => desk.sql`update inbox_pending set next_time = next_time - interval '10 s'`;
const claimed = async () => (await claimPending(desk.sql, subscription)).map(({ envelope: { id } }) => id);

describe("the lease of a slow event", () => {
  it("keeps the event from other processes for 10 s, and is theirs then", async () => {
    const event = envelope();
    expect(await leasesOf().take(event)).toBe(true);
    expect(await secondsLeft(event)).toBeLessThanOrEqual(10);
    expect(await claimed()).toEqual([]);
    await expire();
    expect(await claimed()).toEqual([event.id]);
  });

  it("is renewed while the process lives", async () => {
    const events = [envelope(), envelope(), envelope()];
    const leases = leasesOf();
    await Promise.all(events.map(leases.take));
    const before = await ends(events);
    await leases.renewLater();
    const after = await ends(events);
    for (const [n, end] of after.entries()) expect(end).toBeGreaterThan(before[n] ?? Number.NaN);
    // And once more: the renewed lease is the process' too.
    await leases.renewLater();
    for (const [n, end] of (await ends(events)).entries()) expect(end).toBeGreaterThan(after[n] ?? Number.NaN);
    expect(events.map(({ id }) => leases.holds(id))).toEqual([true, true, true]);
  });

  it("is not renewed before that is due, nor after it was dropped", async () => {
    const [early, dropped] = [envelope(), envelope()];
    const leases = leasesOf();
    await Promise.all([early, dropped].map(leases.take));
    const before = await ends([early, dropped]);
    await leases.renew();
    expect(await ends([early, dropped])).toEqual(before);
    leases.drop(dropped.id);
    await leases.renewLater();
    const [renewed = 0, kept] = await ends([early, dropped]);
    expect(renewed).toBeGreaterThan(before[0] ?? Number.NaN);
    expect(kept).toBe(before[1]);
  });

  it("is refused for an event that is pending already", async () => {
    const event = envelope();
    const [first, second] = [leasesOf(), leasesOf()];
    expect(await first.take(event)).toBe(true);
    expect(await second.take(event)).toBe(false);
    expect(second.holds(event.id)).toBe(false);
  });

  it("is lost to a process that claims the event once it is over, and not taken back", async () => {
    const event = envelope();
    const leases = leasesOf();
    await leases.take(event);
    await expire();
    expect(await claimed()).toEqual([event.id]);
    const theirs = await ends([event]);
    await leases.renewLater();
    expect(await ends([event])).toEqual(theirs);
    expect(leases.holds(event.id)).toBe(false);
  });

  it("does not come back over the retry that was decided meanwhile", async () => {
    const event = envelope();
    const leases = leasesOf();
    await leases.take(event);
    const decision = { state: "RETRY", attempts: 1, outages: 0, delayMs: 250, lastError: "Error: no" } as const;
    await reschedule(desk.sql, subscription.name, event.id, decision);
    await leases.renewLater();
    expect(await secondsLeft(event)).toBeLessThan(1);
  });
});

/** When the leases end, in microseconds. */
async function ends(events: readonly Envelope[]): Promise<readonly number[]> {
  const rows = await desk.sql<{ id: string; end: number }[]>`
    select event_id as id, (extract(epoch from next_time) * 1000000)::float8 as end from inbox_pending`;
  const byId = new Map(rows.map(({ id, end }) => [id, end]));
  return events.map(({ id }) => byId.get(id) ?? Number.NaN);
}
