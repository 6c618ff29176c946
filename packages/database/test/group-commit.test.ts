import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGroupCommit, type Database, type Decision, KeyInUse, RowRefused } from "../src/index.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { openThings, type Things } from "./support/things.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

function store(o: { onCommitted?: (topics: readonly string[]) => void; writers?: number; database?: Database } = {}) {
  const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };
  return createGroupCommit({ database: things.database, ...tables, ...o });
}

async function stored(id: string) {
  const [row] = await things.database.sql`select version, total from thing where id = ${id}`;
  const events = await things.database.sql`select version from thing_event where subject_id = ${id} order by version`;
  const sent = await things.database.sql`select version from outbox where subject = ${id} order by id`;
  return { row, events: events.map((e) => e.version), sent: sent.map((e) => e.version) };
}

describe("a group commit", () => {
  it("creates a subject with its event and its message", async () => {
    let woken = 0;
    const made = decision();
    expect(await store({ onCommitted: () => woken++ }).commit(made)).toEqual({ kind: "COMMITTED", version: 1 });
    expect(await stored(made.id)).toEqual({ row: { version: 1, total: 9007199254740993n }, events: [1], sent: [1] });
    const [event] = await things.database.sql`select * from thing_event where subject_id = ${made.id}`;
    expect(event).toMatchObject({ ...made.event, time: new Date(made.event.time) });
    const [sent] = await things.database.sql`select * from outbox where subject = ${made.id}`;
    expect(sent).toMatchObject({ event_id: made.event.id, topic: "thing.changed", payload: { id: made.id } });
    expect(woken).toBe(1);
  });

  it("publishes nothing where the decision has no message", async () => {
    const made = decision({ message: "none" });
    await store().commit(made);
    expect((await stored(made.id)).sent).toEqual([]);
  });

  it("throws for a message whose topic the service does not declare, and writes nothing", async () => {
    const requireTopic = things.another(["thing.renamed"]).requireTopic;
    const made = decision();
    const commits = store({ database: { ...things.database, requireTopic } });
    expect(() => commits.commit(made)).toThrow('"thing" does not declare the topic "thing.changed"');
    expect(await stored(made.id)).toEqual({ row: undefined, events: [], sent: [] });
  });

  it("appends at the version that the decision was made from", async () => {
    const made = decision();
    await store().commit(made);
    const next = decision({ id: made.id, expected: 1, total: "2" });
    expect(await store().commit(next)).toEqual({ kind: "COMMITTED", version: 2 });
    expect(await stored(made.id)).toEqual({ row: { version: 2, total: 2n }, events: [1, 2], sent: [1, 2] });
  });

  it("finds that a subject is there already, and the others of its statement are committed with it", async () => {
    const made = decision();
    await store().commit(made);
    let statements = 0;
    const counting: Database = {
      ...things.database,
      writes: {
        ...things.database.writes,
        watch(work) {
          statements += 1;
          return things.database.writes.watch(work);
        },
      },
    };
    const { commit } = store({ database: counting, writers: 1 });
    const others = [decision(), decision(), decision()];
    const outcomes = await Promise.all(
      [others[0], decision({ id: made.id }), others[1], others[2]].map((d) => commit(d as Decision)),
    ); // Four decisions.
    expect(outcomes.map(({ kind }) => kind)).toEqual(["COMMITTED", "CONFLICT", "COMMITTED", "COMMITTED"]);
    expect(outcomes[1]).toEqual({ kind: "CONFLICT", version: 1 });
    expect(statements).toBe(1);
    expect((await stored(made.id)).events).toEqual([1]);
  });

  it("wakes the relay with the topics that it published, but for those of decisions that do not", async () => {
    const woken: (readonly string[])[] = [];
    const { commit } = store({ onCommitted: (topics) => woken.push(topics), writers: 1 });
    await Promise.all([commit(decision()), commit({ ...decision(), wakes: false })]);
    await commit({ ...decision(), wakes: false });
    await commit(decision({ message: "none" }));
    expect(woken).toEqual([["thing.changed"]]);
  });

  it("refuses a taken version, says which version it is, and leaves the loser's key free", async () => {
    const made = decision();
    await store().commit(made);
    await store().commit(decision({ id: made.id, expected: 1 }));
    const late = decision({ id: made.id, expected: 1, key: keyOf(v7()) });
    expect(await store().commit(late)).toEqual({ kind: "CONFLICT", version: 2 });
    expect(await store().commit({ ...late, expected: 2 })).toEqual({ kind: "COMMITTED", version: 3 });
  });

  it("refuses a change of what does not exist", async () => {
    expect(await store().commit(decision({ expected: 1 }))).toEqual({ kind: "CONFLICT", version: undefined });
  });

  it("refuses to create what exists, and does not touch it", async () => {
    const made = decision({ total: "1" });
    await store().commit(made);
    const again = decision({ id: made.id, total: "2", key: keyOf(v7()) });
    expect(await store().commit(again)).toEqual({ kind: "CONFLICT", version: 1 });
    expect((await stored(made.id)).row).toEqual({ version: 1, total: 1n });
  });

  it("answers the same request again with the first answer", async () => {
    const made = decision({ key: keyOf(v7()) });
    const { commit } = store();
    await commit(made);
    const again = { ...decision({ key: made.key as NonNullable<Decision["key"]> }), response: { id: "another" } };
    expect(await commit(again)).toEqual({ kind: "REPLAY", response: made.response });
    expect((await stored(again.id)).row).toBeUndefined();
  });

  it("answers a retry whose version its own first try took with the first answer", async () => {
    const made = decision();
    await store().commit(made);
    const change = decision({ id: made.id, expected: 1, key: keyOf(v7()) });
    await store().commit(change);
    expect(await store().commit(change)).toEqual({ kind: "REPLAY", response: change.response });
  });

  it("refuses a key that was used with another request", async () => {
    const key = keyOf(v7());
    await store().commit(decision({ key }));
    const other = decision({ key: keyOf(key.key, "another request") });
    expect(await store().commit(other)).toEqual({ kind: "KEY_REUSED" });
  });

  it("keeps the keys of two callers and of two methods apart", async () => {
    const key = keyOf(v7());
    for (const scope of [key, { ...key, caller: "customer:2" }, { ...key, method: "CancelThing" }]) {
      expect(await store().commit(decision({ key: scope }))).toMatchObject({ kind: "COMMITTED" });
    }
  });

  it("refuses a key whose work has begun elsewhere and is not answered", async () => {
    const key = keyOf(v7());
    await things.database.sql`insert into idempotency (caller, method, key, fingerprint)
      values (${key.caller}, ${key.method}, ${key.key}, decode(${key.fingerprint}, 'hex'))`;
    await expect(store().commit(decision({ key }))).rejects.toBeInstanceOf(KeyInUse);
  });

  it("replays an answer that is nothing", async () => {
    const made = { ...decision({ key: keyOf(v7()) }), response: undefined };
    await store().commit(made);
    expect(await store().commit(made)).toEqual({ kind: "REPLAY", response: null });
  });

  it("marks the event that it answers as consumed", async () => {
    const inbox = { subscription: "checkout", eventId: v7() };
    const made = decision({ inbox });
    await store().commit(made);
    await store().commit(decision({ id: made.id, expected: 1, inbox }));
    const rows = await things.database.sql`select subscription from inbox where event_id = ${inbox.eventId}`;
    expect(rows).toEqual([{ subscription: "checkout" }]);
    const late = decision({ id: made.id, expected: 1, inbox: { subscription: "checkout", eventId: v7() } });
    expect(await store().commit(late)).toMatchObject({ kind: "CONFLICT" });
    const none = await things.database.sql`select 1 from inbox where event_id = ${late.inbox?.eventId ?? ""}`;
    expect(none).toEqual([]);
  });

  it("gives each of a mixed batch its own answer: the good ones commit, the others are refused one by one", async () => {
    const { commit } = store({ writers: 1 });
    const existing = decision();
    await commit(existing);
    await commit(decision({ id: existing.id, expected: 1 }));
    const usedKey = keyOf(v7());
    const first = decision({ key: usedKey });
    await commit(first);
    const twice = keyOf(v7());

    const good = Array.from({ length: 20 }, () => decision({ key: keyOf(v7()) }));
    const bad = {
      replayed: decision({ key: usedKey }),
      reused: decision({ key: keyOf(usedKey.key, "another request") }),
      late: decision({ id: existing.id, expected: 1 }),
      negative: decision({ total: "-1", key: keyOf(v7()) }),
      nul: decision({ payload: { text: "a\u0000b" } }),
      surrogate: decision({ payload: { text: "\ud800" } }),
      noUuid: decision({ id: "no-uuid" }),
      hugeNumber: decision({ total: "99999999999999999999" }),
      sameKey: decision({ key: twice }),
      sameKeyAgain: decision({ key: twice }),
    };
    const all = [...good.slice(0, 10), ...Object.values(bad), ...good.slice(10)];
    const answers = await Promise.allSettled(all.map((each) => commit(each)));
    const of = (each: Decision) => {
      const answer = answers[all.indexOf(each)];
      return answer?.status === "fulfilled" ? answer.value : answer?.reason;
    };

    for (const each of good) expect(of(each)).toEqual({ kind: "COMMITTED", version: 1 });
    expect(of(bad.replayed)).toEqual({ kind: "REPLAY", response: first.response });
    expect(of(bad.reused)).toEqual({ kind: "KEY_REUSED" });
    expect(of(bad.late)).toEqual({ kind: "CONFLICT", version: 2 });
    expect(of(bad.negative)).toBeInstanceOf(RowRefused);
    expect(of(bad.negative)).toMatchObject({ sqlState: "23514", table: "thing" });
    for (const [refused, sqlState] of [
      [bad.nul, "22P05"],
      [bad.surrogate, "22P02"],
      [bad.noUuid, "22P02"],
      [bad.hugeNumber, "22003"],
    ] as const) {
      expect(of(refused)).toBeInstanceOf(RowRefused);
      expect(of(refused)).toMatchObject({ sqlState });
    }
    expect(of(bad.sameKey)).toEqual({ kind: "COMMITTED", version: 1 });
    expect(of(bad.sameKeyAgain)).toEqual({ kind: "REPLAY", response: bad.sameKey.response });
    // A refused decision leaves its key free.
    const mended = decision({ id: bad.negative.id, key: bad.negative.key as NonNullable<Decision["key"]> });
    expect(await commit(mended)).toEqual({ kind: "COMMITTED", version: 1 });
  });

  it("commits two decisions on one subject that came together one after the other", async () => {
    const { commit } = store();
    const made = decision();
    const next = decision({ id: made.id, expected: 1 });
    const rival = decision({ id: made.id, expected: 1 });
    expect(await Promise.all([made, next, rival].map((each) => commit(each)))).toEqual([
      { kind: "COMMITTED", version: 1 },
      { kind: "COMMITTED", version: 2 },
      { kind: "CONFLICT", version: 2 },
    ]);
  });

  it("refuses what JSON cannot say to its caller alone", async () => {
    const { commit } = store();
    const wrong = { ...decision(), row: { total: 1n as unknown as string } };
    const answers = await Promise.allSettled([decision(), wrong, decision()].map(async (each) => commit(each)));
    expect(answers.map((answer) => answer.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });
});
