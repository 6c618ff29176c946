import { type CancelSignal, onAbort } from "@rialto/async";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backends, type Fixture, openFixture, until } from "./fixture.ts";

/** As many as jobs that one process handles at a time, and some more. */
const slowOnes = 20;

describe.each(backends)("slow handlers over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  /** A handler that waits at slow subjects until it is released or aborted. */
  function waits(o: { readonly thenThrows?: boolean } = {}) {
    const held = Promise.withResolvers<void>();
    const started: string[] = [];
    return {
      started,
      release: () => held.resolve(),
      handler: {
        async handle(event: { readonly id: string; readonly subject: string }, _: unknown, signal: CancelSignal) {
          if (!event.subject.startsWith("slow")) return;
          started.push(event.id);
          const aborted = new Promise<never>((_resolve, reject) => onAbort(signal, () => reject(signal.reason)));
          await Promise.race([held.promise, aborted]);
          if (o.thenThrows) throw new Error("it is wrong too");
        },
      },
    };
  }

  const inbox = async (name: string) =>
    (await fixture.desk.sql<{ id: string }[]>`select event_id as id from inbox where subscription = ${name}`).map(
      ({ id }) => id,
    );
  const pending = (name: string) =>
    fixture.desk.sql<{ id: string; state: string; attempts: number; isDue: boolean }[]>`
      select event_id as id, state, attempts, next_time <= now() as "isDue" from inbox_pending
      where subscription = ${name}`;
  /** Each event in a batch of its own, so in a job of its own. */
  async function publishSlow(count: number): Promise<readonly string[]> {
    const relay = fixture.relay();
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      ids.push(await fixture.publish(`slow ${n}`, 1));
      relay.wake();
      await until("it is in a batch", async () => {
        const [row] = await fixture.shop.sql`select from outbox where batch_id is null`;
        return row === undefined;
      });
    }
    return ids;
  }

  it("hold up neither the jobs behind them nor the slots of others, and have their effect once they end", async () => {
    const name = "leaves";
    const { handler, release } = waits();
    await fixture.subscription(name, handler, { concurrencyMax: 2, slow: { afterMs: 20, max: 100 } });
    const slow = await publishSlow(slowOnes);
    const quick = await fixture.publish("quick", 1);
    await until("the quick one had its effect", async () => (await inbox(name)).includes(quick));
    await fixture.settled();
    expect((await pending(name)).map(({ state, attempts, isDue }) => ({ state, attempts, isDue }))).toEqual(
      slow.map(() => ({ state: "RETRY", attempts: 0, isDue: false })),
    );
    release();
    await until("all had their effect", async () => (await inbox(name)).length === slowOnes + 1);
    await until("nothing is pending", async () => (await pending(name)).length === 0);
  });

  it("keep their jobs where as many as may have left", async () => {
    const name = "keeps";
    const { handler, release, started } = waits();
    await fixture.subscription(name, handler, { slow: { afterMs: 20, max: 3 } });
    await publishSlow(6);
    await until("all have begun", async () => started.length === 6);
    await until("three have left", async () => (await pending(name)).length === 3);
    release();
    await fixture.settled();
    expect(await inbox(name)).toHaveLength(6);
    await until("nothing is pending", async () => (await pending(name)).length === 0);
  });

  it("are retried like any other where they fail", async () => {
    const name = "fails";
    const { handler, release } = waits({ thenThrows: true });
    await fixture.subscription(name, handler, { attemptsMax: 1, slow: { afterMs: 20, max: 100 } });
    const [id] = await publishSlow(1);
    await fixture.settled();
    release();
    await until("it is a dead letter", async () => (await pending(name))[0]?.state === "DEAD");
    expect(await pending(name)).toMatchObject([{ id, attempts: 1 }]);
  });

  it("keep their events for as long as they run, on leases that are renewed", async () => {
    const name = "renews";
    const { handler, release, started } = waits();
    await fixture.subscription(name, handler, { slow: { afterMs: 20, max: 100 } });
    await publishSlow(2);
    const leaseEnds = async () => {
      const rows = await fixture.desk.sql<{ end: number }[]>`
        select extract(epoch from next_time)::float8 as end from inbox_pending where subscription = ${name}`;
      return rows.map(({ end }) => end);
    };
    await until("both have left", async () => (await leaseEnds()).length === 2);
    const first = Math.max(...(await leaseEnds()));
    await until("both leases are renewed", async () => Math.min(...(await leaseEnds())) > first);
    release();
    await until("both had their effect", async () => (await inbox(name)).length === 2);
    await until("nothing is pending", async () => (await pending(name)).length === 0);
    // Nobody took over what still ran.
    expect(started).toHaveLength(2);
  });

  it("are aborted when their process stops, and handled by the next one without a lost attempt", async () => {
    const name = "stops";
    const first = waits();
    const running = await fixture.subscription(name, first.handler, { slow: { afterMs: 20, max: 100 } });
    await publishSlow(3);
    await fixture.settled();
    await running.stop();
    expect(await pending(name)).toMatchObject(
      Array.from({ length: 3 }, () => ({ state: "RETRY", attempts: 0, isDue: true })),
    );
    const second = waits();
    second.release();
    fixture.run(name, second.handler, { slow: { afterMs: 20, max: 100 } });
    await until("all had their effect", async () => (await inbox(name)).length === 3);
  });
});
