import { type CancelSignal, onAbort } from "@rialto/async";
import { listDeadLetters, retryDeadLetters } from "@rialto/events";
import { recordMetrics } from "@rialto/telemetry/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backends, effectsOf, type Fixture, openFixture, redis, type TestHandler, until } from "./fixture.ts";

const sorted = (ids: readonly string[]) => [...ids].sort();
const isBad = (subject: string) => subject.startsWith("bad");

/** Both forms of a handler that leave a row, unless the event is one that fails. */
const forms = (name: string, fails: (subject: string) => Error | undefined) => ({
  "database only": {
    async inTransaction(event, tx) {
      // The row must go with the transaction.
      await tx`
        insert into effect (subscription, event_id, subject, version)
        values (${name}, ${event.id}, ${event.subject}, ${event.version})`;
      const failure = fails(event.subject);
      if (failure !== undefined) throw failure;
    },
  } satisfies TestHandler,
  "with an effect": (fixture: Fixture): TestHandler => ({
    async handle(event) {
      const failure = fails(event.subject);
      if (failure !== undefined) throw failure;
      await fixture.desk.sql`
        insert into effect (subscription, event_id, subject, version)
        values (${name}, ${event.id}, ${event.subject}, ${event.version})`;
    },
  }),
});

const down = () => Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

describe.each(backends)("a handler that fails, over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  it("is counted at each attempt, and the delay of its event at the first alone", async () => {
    const name = "counted";
    const { metrics, read } = recordMetrics();
    const tries = new Map<string, number>();
    await fixture.subscription(
      name,
      {
        async handle({ id }) {
          tries.set(id, (tries.get(id) ?? 0) + 1);
          if (tries.get(id) === 1) throw new Error("the first try fails");
        },
      },
      { metrics },
    );
    fixture.relay();
    await fixture.publishMany(3);
    await until("all are handled", async () => (await read("rialto.events.handled"))[`${name} processed`] === 3);
    expect(await read("rialto.events.handled")).toMatchObject({ [`${name} processed`]: 3, [`${name} retried`]: 3 });
    expect(await read("messaging.process.duration")).toEqual({ [name]: 6 });
    expect(await read("rialto.events.delay")).toEqual({ [name]: 3 });
  });

  it("by hanging delays no other event that is retried", async () => {
    const name = "hanging";
    const hanging = Promise.withResolvers<CancelSignal>();
    const tries = new Map<string, number>();
    await fixture.subscription(name, {
      async handle({ id, subject, version }, _inbox, signal) {
        tries.set(id, (tries.get(id) ?? 0) + 1);
        if (tries.get(id) === 1) throw new Error("the first try fails");
        if (isBad(subject)) {
          hanging.resolve(signal);
          await new Promise((_, reject) => onAbort(signal, () => reject(signal.reason)));
        }
        await fixture.desk.sql`
          insert into effect (subscription, event_id, subject, version) values (${name}, ${id}, ${subject}, ${version})`;
      },
    });
    fixture.relay();
    await fixture.publish("bad", 1);
    const signal = await hanging.promise;
    const good = await fixture.publish("good", 1);
    await until("the other had its effect", async () => (await effectsOf(fixture.desk, name)).includes(good));
    expect(signal.aborted).toBe(false);
  });

  it("and waits for a slot longer than its lease runs in the process that claims it next, and only there", async () => {
    const name = "lent";
    const subjectsOf = (process: string) => ran.filter((one) => one.startsWith(process));
    const ran: string[] = [];
    const blocking = Promise.withResolvers<void>();
    const blocked = Promise.withResolvers<void>();
    const handler = (process: string): TestHandler => ({
      async handle({ id, subject, version }) {
        // However many tries there are until the slot is taken.
        if (subject === "bad" && ran.length === 0) throw new Error("the first tries fail");
        ran.push(`${process} ${subject}`);
        if (subject === "blocks") {
          blocking.resolve();
          await blocked.promise;
        }
        await fixture.desk.sql`
          insert into effect (subscription, event_id, subject, version) values (${name}, ${id}, ${subject}, ${version})`;
      },
    });
    const due = (time: string) =>
      fixture.desk.sql`update inbox_pending set next_time = ${time}::text::timestamptz where subscription = ${name}`;
    const first = await fixture.subscription(name, handler("first"), { concurrencyMax: 1 });
    fixture.relay();
    const bad = await fixture.publish("bad", 1);
    await until("it is pending", async () => (await pendingOf(name)) === 1);
    await due("infinity");
    await fixture.publish("blocks", 1);
    await blocking.promise;
    await due("-infinity");
    await until("the first process has it", async () => {
      const lent = await fixture.desk.sql`
        select from inbox_pending where subscription = ${name} and next_time between now() + interval '20 s' and now() + interval '1 h'`;
      return lent.length === 1;
    });
    // The lease is over, and the first process still waits for the handler that blocks.
    await due("-infinity");
    const second = fixture.run(name, handler("second"));
    await until("it had its effect", async () => (await effectsOf(fixture.desk, name)).includes(bad));
    await second.stop();
    blocked.resolve();
    await fixture.publish("last", 1);
    await until("all had their effect", async () => (await effectsOf(fixture.desk, name)).length === 3);
    await first.stop();
    expect(subjectsOf("first")).toEqual(["first blocks", "first last"]);
    expect(subjectsOf("second")).toEqual(["second bad"]);
  });

  describe.each(["database only", "with an effect"] as const)("%s", (form) => {
    const slug = form.replaceAll(" ", "-");
    const handlerOf = (name: string, fails: (subject: string) => Error | undefined) => {
      const handler = forms(name, fails)[form];
      return typeof handler === "function" ? handler(fixture) : handler;
    };

    it("lets the rest of its batch continue, is retried by itself, becomes a dead letter, and is replayed", async () => {
      const name = `poison-${slug}`;
      let mended = false;
      let tries = 0;
      await fixture.register(name);
      const good = [await fixture.publish("good 1", 1), await fixture.publish("good 2", 1)];
      const bad = await fixture.publish("bad", 1);
      good.push(await fixture.publish("good 3", 1));
      fixture.run(
        name,
        handlerOf(name, (subject) => {
          if (!isBad(subject) || mended) return undefined;
          tries += 1;
          return new Error("cannot be read");
        }),
        { attemptsMax: 3 },
      );
      fixture.relay();
      await fixture.settled();
      expect(sorted(await effectsOf(fixture.desk, name))).toEqual(sorted(good));

      await until("it is dead", async () => (await deadLetters(name)).length === 1);
      expect(tries).toBe(3);
      const [letter] = await deadLetters(name);
      expect(letter).toMatchObject({ eventId: bad, attempts: 3, lastError: "Error: cannot be read", subject: "bad" });

      mended = true;
      expect(await retryDeadLetters(fixture.desk.sql, { subscription: name, eventId: bad })).toBe(1);
      await until("it had its effect", async () => (await effectsOf(fixture.desk, name)).includes(bad));
      await until("nothing is left", async () => (await pendingOf(name)) === 0);
      expect(sorted(await effectsOf(fixture.desk, name))).toEqual(sorted([...good, bad]));
    });

    it("never uses up attempts while a dependency is down", async () => {
      const name = `patient-${slug}`;
      let tries = 0;
      await fixture.subscription(
        name,
        handlerOf(name, () => {
          tries += 1;
          return tries < 4 ? down() : undefined;
        }),
        { attemptsMax: 1 },
      );
      fixture.relay();
      const id = await fixture.publish("waits", 1);
      await until("it had its effect", async () => (await effectsOf(fixture.desk, name)).length > 0);
      expect(await effectsOf(fixture.desk, name)).toEqual([id]);
      expect(await deadLetters(name)).toEqual([]);
    });
  });

  const deadLetters = (subscription: string) => listDeadLetters(fixture.desk.sql, { subscription, limit: 10 });

  async function pendingOf(subscription: string): Promise<number> {
    const [row] = await fixture.desk.sql<{ n: number }[]>`
      select count(*)::int as n from inbox_pending where subscription = ${subscription}`;
    return row?.n ?? 0;
  }
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: a handler that fails, over redis\n");
});
