import { v7 } from "uuid";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../src/connection/connection.ts";
import { createDecisionEncoder } from "../src/group-commit/decision.ts";
import { createGroupCommit, type GroupCommit, isOutage, runtimeUrl, type Sql } from "../src/index.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { openThings, secret, type Things } from "./support/things.ts";
import { untilWaiting } from "./support/waiting-sessions.ts";

let things: Things;
/** Writers that wait as long as they must: how long a wait lasts is the test's to say. */
let patientWriters: Sql;
let store: GroupCommit;

beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());
beforeEach(async () => {
  const url = await runtimeUrl(things.adminUrl, "thing", secret);
  patientWriters = connect(url, {
    max: 2,
    connection: { search_path: "thing", plan_cache_mode: "force_generic_plan" },
  });
  store = createGroupCommit({ database: { ...things.database, writers: patientWriters }, ...tables });
});
afterEach(async () => {
  await store.close();
  await patientWriters.end();
});
const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };

/** Another session that has done `work` and not yet committed it, while the store is at work on what it holds. */
async function against<T>(end: "commit" | "rollback", work: string, waiting: () => Promise<T>): Promise<T> {
  const rival = await things.database.sql.reserve();
  try {
    await rival`begin`;
    await rival.unsafe(work);
    const answer = waiting();
    answer.catch(() => undefined);
    await untilWaiting(things.admin);
    await rival.unsafe(end);
    return await answer;
  } finally {
    rival.release();
  }
}

const insertKey = (key: string, response: object) => {
  const { caller, method, fingerprint } = keyOf(key);
  return `insert into idempotency (caller, method, key, fingerprint, response)
    values ('${caller}', '${method}', '${key}', decode('${fingerprint}', 'hex'), '${JSON.stringify(response)}')`;
};

describe("a group commit that waits for another session", () => {
  it("replays the answer of a key that the other commits", async () => {
    const key = v7();
    const made = decision({ key: keyOf(key) });
    const answer = await against("commit", insertKey(key, { by: "the other" }), () => store.commit(made));
    expect(answer).toEqual({ kind: "REPLAY", response: { by: "the other" } });
  });

  it("takes the key that the other gives up", async () => {
    const key = v7();
    const made = decision({ key: keyOf(key) });
    const answer = await against("rollback", insertKey(key, { by: "the other" }), () => store.commit(made));
    expect(answer).toEqual({ kind: "COMMITTED", version: 1 });
  });

  it("refuses a key that the other commits with another request", async () => {
    const key = v7();
    const made = decision({ key: keyOf(key, "another request") });
    const answer = await against("commit", insertKey(key, {}), () => store.commit(made));
    expect(answer).toEqual({ kind: "KEY_REUSED" });
  });

  it.each(["commit", "rollback"] as const)("decides by the version that is there after the other's %s", async (end) => {
    const { id } = decision();
    await store.commit(decision({ id }));
    const moveOn = `update thing set version = 2 where id = '${id}'`;
    const answer = await against(end, moveOn, () => store.commit(decision({ id, expected: 1 })));
    expect(answer).toEqual(end === "commit" ? { kind: "CONFLICT", version: 2 } : { kind: "COMMITTED", version: 2 });
  });

  it("commits at the version that the subject reached during the wait, row and log alike", async () => {
    const { id } = decision();
    await store.commit(decision({ id }));
    const moveOn = `update thing set version = 2 where id = '${id}'`;
    const answer = await against("commit", moveOn, () => store.commit(decision({ id, expected: 2, total: "7" })));
    expect(answer).toEqual({ kind: "COMMITTED", version: 3 });
    const [row] = await things.database.sql`select version, total from thing where id = ${id}`;
    expect(row).toEqual({ version: 3, total: 7n });
  });

  it.each(["commit", "rollback"] as const)("creates once against the other's %s of the same subject", async (end) => {
    const { id } = decision();
    const create = `insert into thing (id, version, status, customer, total, items, time)
        values ('${id}', 1, 1, 'other', 1, '[]', now());
      insert into thing_event values ('${id}', 1, '${v7()}', 'CREATED', '{}', '', '', '', now())`;
    const answer = await against(end, create, () => store.commit(decision({ id })));
    expect(answer).toEqual(end === "commit" ? { kind: "CONFLICT", version: 1 } : { kind: "COMMITTED", version: 1 });
  });

  it("answers a conflict with its own earlier try with that try's answer", async () => {
    const { id } = decision();
    await store.commit(decision({ id }));
    const retried = decision({ id, expected: 1, key: keyOf(v7()) });
    // The first try, by another replica, has done all its work and is about to commit.
    const other = things.another();
    const held = await other.writers.reserve();
    await held`begin`;
    const encode = createDecisionEncoder(Object.keys(rowColumns));
    const [row] = await held.unsafe(store.statement, [`[${encode(retried)}]`]);
    expect(row).toMatchObject({ outcome: "COMMITTED" });
    const answer = store.commit(retried);
    await untilWaiting(things.admin);
    await held`commit`;
    held.release();
    expect(await answer).toEqual({ kind: "REPLAY", response: retried.response });
  });

  it("lets the innocent pass when one key is held for long", async () => {
    const impatient = createGroupCommit({ database: things.database, ...tables, writers: 1 });
    const key = v7();
    const blocked = decision({ key: keyOf(key) });
    const innocent = Array.from({ length: 9 }, () => decision({ key: keyOf(v7()) }));
    const rival = await things.database.sql.reserve();
    await rival`begin`;
    await rival.unsafe(insertKey(key, {}));
    const answers = await Promise.allSettled([blocked, ...innocent].map((each) => impatient.commit(each)));
    await rival`rollback`;
    rival.release();
    const [first, ...others] = answers;
    expect(first?.status === "rejected" && isOutage(first.reason)).toBe(true);
    for (const answer of others) expect(answer).toMatchObject({ value: { kind: "COMMITTED" } });
    await impatient.close();
  });
});
