import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGroupCommit, type IdempotencyKey, KeyReused, once, replay } from "../src/index.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { openThings, type Things } from "./support/things.ts";
import { commitAsBefore, onceAsBefore } from "./support/version-0-1.ts";
import { untilWaiting } from "./support/waiting-sessions.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

const earlier = { scopes: ["admin:1", "customer:1"] };

/** The keys of one request as the two versions have it. */
function keysOf(request?: string) {
  const before = keyOf(v7(), request);
  return { before, now: { ...before, caller: "user:1", earlier } };
}
const open = () =>
  createGroupCommit({ database: things.database, subjectTable: "thing", rowColumns, eventTable: "thing_event" });
const other = (key: IdempotencyKey) => ({ ...key, fingerprint: keyOf(key.key, "another request").fingerprint });
const unused = () => Promise.reject(new Error("the work is done twice"));

async function created(...decisions: { id: string }[]) {
  const ids = decisions.map(({ id }) => id);
  return (await things.database.sql`select id from thing where id = any (${ids})`).map(({ id }) => id);
}

describe("what version 0.1 did under a key", () => {
  it.each(["customer:1", "admin:1"])("is not done again, whatever the caller's role was (%s)", async (caller) => {
    const { before, now } = keysOf();
    const first = decision({ key: before });
    await commitAsBefore(things.database.sql, first, { ...before, caller });
    const again = decision({ key: now });
    const store = open();
    expect(await store.commit(again)).toEqual({ kind: "REPLAY", response: first.response });
    expect(await store.commit(decision({ key: other(now) }))).toEqual({ kind: "KEY_REUSED" });
    expect(await created(first, again)).toEqual([first.id]);
    await store.close();

    const work = keysOf();
    await onceAsBefore(things.database.sql, { ...work.before, caller }, "done");
    expect(await once(things.database.sql, work.now, unused)).toBe("done");
    expect(await replay(things.database.sql, work.now)).toBe("done");
    await expect(once(things.database.sql, other(work.now), unused)).rejects.toBeInstanceOf(KeyReused);
  });

  it("is not done again where its fingerprint was made of more than ours", async () => {
    const { before, now } = keysOf("a request with a secret");
    await onceAsBefore(things.database.sql, before, "done");
    const { fingerprint } = keyOf(before.key, "the same without it");
    const key = { ...now, fingerprint, earlier: { ...earlier, fingerprint: before.fingerprint } };
    expect(await once(things.database.sql, key, unused)).toBe("done");
  });
});

describe("what is done under a key", () => {
  it.each(["customer:1", "admin:1"])(
    "is not done again by version 0.1, whatever the caller's role is (%s)",
    async (caller) => {
      const { before, now } = keysOf();
      const first = decision({ key: now });
      const store = open();
      await store.commit(first);
      await store.close();
      const again = decision({ key: before });
      const old = { ...before, caller };
      expect(await commitAsBefore(things.database.sql, again, old)).toMatchObject({
        outcome: "REPLAY",
        response: first.response,
      });
      expect(await created(first, again)).toEqual([first.id]);

      const work = keysOf();
      await once(things.database.sql, work.now, () => Promise.resolve("done"));
      expect(await onceAsBefore(things.database.sql, { ...work.before, caller }, "again")).toBe("done");
    },
  );

  it("answers nobody with the same key in a scope of their own, where both had one scope in 0.1", async () => {
    const { now } = keysOf();
    const shared = { scopes: ["anonymous"], fingerprint: now.fingerprint };
    const [one, other] = ["anonymous:1", "anonymous:2"].map((caller) => ({ ...now, caller, earlier: shared }));
    if (one === undefined || other === undefined) throw new Error("there are two");
    await once(things.database.sql, one, () => Promise.resolve("one"));
    expect(await once(things.database.sql, other, () => Promise.resolve("other"))).toBe("other");
    expect(await once(things.database.sql, one, unused)).toBe("one");
  });

  it("is stored under no earlier scope where the fingerprint there would say something of a secret", async () => {
    const { now } = keysOf();
    const key = { ...now, earlier: { ...earlier, fingerprint: keyOf(now.key, "with a secret").fingerprint } };
    expect(await once(things.database.sql, key, () => Promise.resolve("done"))).toBe("done");
    const rows = await things.database.sql`select caller from idempotency where key = ${now.key}`;
    expect(rows.map(({ caller }) => caller)).toEqual(["user:1"]);
    expect(await once(things.database.sql, key, unused)).toBe("done");
  });
});

describe("what is committed under a key once a migration has ended version 0.1", () => {
  it("is stored once, and is still found under what 0.1 stored", async () => {
    const contracted = await openThings();
    await contracted.admin`update thing.compatibility set oldest_code = 1`;
    const { database } = contracted;
    const store = createGroupCommit({ database, subjectTable: "thing", rowColumns, eventTable: "thing_event" });
    const { now } = keysOf();
    const first = decision({ key: now });
    await store.commit(first);
    const rows = await database.sql`select caller from idempotency where key = ${now.key}`;
    expect(rows.map(({ caller }) => caller)).toEqual(["user:1"]);
    expect(await store.commit(decision({ key: now }))).toEqual({ kind: "REPLAY", response: first.response });

    const { before, now: known } = keysOf();
    const theirs = decision({ key: before });
    await commitAsBefore(database.sql, theirs, before);
    expect(await store.commit(decision({ key: known }))).toEqual({ kind: "REPLAY", response: theirs.response });
    await store.close();
    await contracted.close();
  });
});

describe("a request that both versions get at the same moment", () => {
  it("is done once: ours waits for what 0.1 is about to commit", async () => {
    const { before, now } = keysOf();
    const [theirs, ours] = [decision({ key: before }), decision({ key: now })];
    const store = open();
    const rival = await things.database.sql.reserve();
    await rival`begin`;
    await rival`insert into idempotency (caller, method, key, fingerprint, response) values (${before.caller}, ${before.method},
      ${before.key}, decode(${before.fingerprint}, 'hex'), ${JSON.stringify(theirs.response)}::text::jsonb)`;
    const answer = store.commit(ours);
    await untilWaiting(things.admin);
    await rival`commit`;
    rival.release();
    expect(await answer).toEqual({ kind: "REPLAY", response: theirs.response });
    expect(await created(ours)).toEqual([]);
    const rows = await things.database.sql`select caller from idempotency where key = ${before.key}`;
    expect(rows.map(({ caller }) => caller)).toEqual([before.caller]);
    await store.close();
  });

  it("is done once, for many requests at once of which others are none", async () => {
    const store = open();
    const requests = Array.from({ length: 60 }, () => keysOf());
    const made = requests.map(({ before, now }) => ({
      theirs: decision({ key: before }),
      ours: decision({ key: now }),
      before,
    }));
    const lone = Array.from({ length: 20 }, () => decision());
    const repeated = async (request: (typeof made)[number]) => {
      // Either may find that the other is at work on it: then it is sent again, as a client does.
      const tries = 20;
      for (let n = 0; n < tries; n += 1) {
        const outcome = await store.commit(request.ours).catch(() => undefined);
        if (outcome !== undefined) return outcome.kind;
      }
      return "none";
    };
    const answers = await Promise.all([
      ...made.map(repeated),
      ...made.map(({ theirs, before }) => commitAsBefore(things.database.sql, theirs, before).catch(() => undefined)),
      ...lone.map((each) => store.commit(each)),
    ]);
    expect(answers.slice(0, made.length).every((kind) => kind === "COMMITTED" || kind === "REPLAY")).toBe(true);
    for (const { theirs, ours } of made) expect(await created(theirs, ours)).toHaveLength(1);
    expect(await created(...lone)).toHaveLength(lone.length);
    await store.close();
  });
});
