import { v7 } from "uuid";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../src/connection/connection.ts";
import { createGroupCommit, type GroupCommit, isOutage, runtimeUrl, type Sql } from "../src/index.ts";
import { type CuttingProxy, createCuttingProxy } from "./support/cutting-proxy.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { openThings, secret, type Things } from "./support/things.ts";
import { untilWaiting } from "./support/waiting-sessions.ts";

let things: Things;
let proxy: CuttingProxy;
let writers: Sql;
let store: GroupCommit;

beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());
beforeEach(async () => {
  proxy = await createCuttingProxy(await runtimeUrl(things.adminUrl, "thing", secret));
  writers = connect(proxy.url, { max: 1, connection: { search_path: "thing" } });
  const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };
  store = createGroupCommit({ database: { ...things.database, writers }, ...tables, writers: 1, answerMsMax: 3_000 });
  // The connection is open and the statement prepared: what is lost next is the answer to a commit.
  await store.commit(decision());
});
afterEach(async () => {
  await store.close();
  await writers.end({ timeout: 1 });
  await proxy.close();
});

async function versions(id: string): Promise<number[]> {
  const rows = await things.database.sql`select version from thing_event where subject_id = ${id} order by version`;
  return rows.map((row) => row.version);
}

describe("a group commit whose answer is lost", () => {
  it("finds a creation without a key in the log", async () => {
    const made = decision();
    proxy.loseNextAnswer();
    expect(await store.commit(made)).toEqual({ kind: "COMMITTED", version: 1 });
    expect(await versions(made.id)).toEqual([1]);
  });

  it("finds a change without a key in the log, and does not call it a conflict with itself", async () => {
    const { id } = decision();
    await store.commit(decision({ id }));
    proxy.loseNextAnswer();
    expect(await store.commit(decision({ id, expected: 1 }))).toEqual({ kind: "COMMITTED", version: 2 });
    expect(await versions(id)).toEqual([1, 2]);
  });

  it("answers what had a key once, whichever of its tries committed", async () => {
    const made = decision({ key: keyOf(v7()) });
    proxy.loseNextAnswer();
    const answer = await store.commit(made);
    expect([
      { kind: "COMMITTED", version: 1 },
      { kind: "REPLAY", response: made.response },
    ]).toContainEqual(answer);
    expect(await versions(made.id)).toEqual([1]);
    expect(await store.commit(made)).toEqual({ kind: "REPLAY", response: made.response });
  });

  it("gives every decision of the batch its own answer", async () => {
    const batch = [decision(), decision({ key: keyOf(v7()) }), decision({ total: "-1" }), decision({ expected: 3 })];
    proxy.loseNextAnswer();
    const answers = await Promise.allSettled(batch.map((each) => store.commit(each)));
    expect(answers).toMatchObject([
      { value: { kind: "COMMITTED", version: 1 } },
      { status: "fulfilled" },
      { reason: { name: "RowRefused" } },
      { value: { kind: "CONFLICT" } },
    ]);
  });

  it("waits for a first try that the server is still at work on", async () => {
    const { id } = decision();
    await store.commit(decision({ id }));
    const rival = await things.database.sql.reserve();
    await rival`begin`;
    await rival`select 1 from thing where id = ${id} for update`;
    const answer = store.commit(decision({ id, expected: 1 }));
    await untilWaiting(things.admin);
    proxy.cut();
    // The second try stands behind the first one, whose session does not know that nobody listens any more.
    await untilWaiting(things.admin, 2);
    await rival`commit`;
    rival.release();
    expect(await answer).toEqual({ kind: "COMMITTED", version: 2 });
    expect(await versions(id)).toEqual([1, 2]);
  });

  it("sends again what the server cut off", async () => {
    const { id } = decision();
    await store.commit(decision({ id }));
    const rival = await things.database.sql.reserve();
    await rival`begin`;
    await rival`select 1 from thing where id = ${id} for update`;
    const answer = store.commit(decision({ id, expected: 1 }));
    await untilWaiting(things.admin);
    await things.admin`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    await rival`rollback`;
    rival.release();
    expect(await answer).toEqual({ kind: "COMMITTED", version: 2 });
  });

  it.each(["reset", "close"] as const)(
    "says that Postgres is away (%s) and works again when it is back",
    async (how) => {
      proxy.refuse(how);
      proxy.cut();
      const error = await store.commit(decision()).catch((reason: unknown) => reason);
      expect(isOutage(error)).toBe(true);
      proxy.refuse("not");
      expect(await store.commit(decision())).toEqual({ kind: "COMMITTED", version: 1 });
    },
  );
});

describe("a group commit after a switchover", () => {
  it("believes nothing that the old server says of a decision, and makes its connections anew", async () => {
    const readOnly = { search_path: "thing", default_transaction_read_only: "on" };
    const old = connect(await runtimeUrl(things.adminUrl, "thing", secret), { max: 1, connection: readOnly });
    let renewals = 0;
    const moving = new Proxy(writers, {
      get: (target, name) =>
        name !== "unsafe"
          ? Reflect.get(target, name)
          : (text: string, ...rest: never[]) => (text.includes(" as logged") ? old : writers).unsafe(text, ...rest),
    });
    const database = { ...things.database, writers: moving, renew: () => void renewals++ };
    const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };
    const moved = createGroupCommit({ database, ...tables, writers: 1, answerMsMax: 3_000 });
    proxy.loseNextAnswer();
    await expect(moved.commit(decision())).rejects.toSatisfy(isOutage);
    expect(renewals).toBeGreaterThan(0);
    await moved.close();
    await old.end();
  });
});
