import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { claimBatch } from "../src/outbox/claim.ts";
import { type Fixture, notes, openFixture, until } from "./fixture.ts";

describe("a relay's claim", () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture("postgres");
    // A publisher that subscribes too has an inbox in its own schema.
    await fixture.postgres.sql`create table shop.inbox (like desk.inbox including all)`;
    await fixture.postgres.sql`grant select, insert on shop.inbox to public`;
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  const claimed = async () => {
    const claim = await claimBatch(fixture.shop.sql, { hasInbox: true });
    return claim?.deliveries.map(({ subscription }) => subscription).sort();
  };
  const consume = (subscription: string, eventId: string) =>
    fixture.shop.sql`insert into inbox (subscription, event_id) values (${subscription}, ${eventId})`;

  it("finds nothing where nothing is unsent", async () => {
    expect(await claimBatch(fixture.shop.sql, { hasInbox: true })).toBeUndefined();
  });

  it("makes no delivery to a subscription of the publisher's own that has consumed the event already", async () => {
    await fixture.register("own");
    await fixture.register("other");
    await consume("own", await fixture.publish("a", 1));
    expect(await claimed()).toEqual(["other"]);
  });

  it("makes one where another event of the batch is still to be consumed", async () => {
    await fixture.register("own");
    await consume("own", await fixture.publish("a", 1));
    await fixture.publish("a", 2);
    expect(await claimed()).toEqual(["own"]);
  });

  it("settles at once a batch that its only subscription has consumed already", async () => {
    await fixture.register("own");
    await consume("own", await fixture.publish("a", 1));
    expect(await claimed()).toEqual([]);
    expect([...(await fixture.shop.sql`select from batch where settle_time is null`)]).toEqual([]);
  });

  it("delivers an event that another subscription has consumed", async () => {
    await fixture.register("own");
    await consume("other", await fixture.publish("a", 1));
    expect(await claimed()).toEqual(["own"]);
  });

  it("says which topics are wanted at all", async () => {
    await fixture.register("own", ["shop.sold"]);
    await fixture.register("other", ["shop.closed", "shop.sold"]);
    await fixture.publish(uuidv7(), 1);
    const claim = await claimBatch(fixture.shop.sql, { hasInbox: true });
    expect([...(claim?.topics ?? [])].sort()).toEqual(["shop.closed", "shop.sold"]);
  });

  it("is not made at once for a topic that nobody wanted, and finds its events by a poll", async () => {
    await fixture.subscription("sold", notes("sold"), { topics: ["shop.sold"] });
    const relay = fixture.relay();
    await fixture.publish("a", 1, "shop.sold");
    await fixture.settled();
    await fixture.publish("a", 2, "shop.closed");
    const before = await batches();
    for (let n = 0; n < 50; n += 1) relay.wake(["shop.closed"]);
    await fixture.settled();
    expect(await batches()).toBe(before + 1);
    await fixture.publish("a", 3, "shop.sold");
    relay.wake(["shop.closed", "shop.sold"]);
    await until("it is sent", async () => (await batches()) === before + 2);
  });

  async function batches(): Promise<number> {
    return (await fixture.shop.sql`select from batch`).length;
  }
});
