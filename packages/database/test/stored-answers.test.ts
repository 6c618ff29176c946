import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createGroupCommit,
  createStoredAnswers,
  type Database,
  type GroupCommit,
  KeyInUse,
  KeyReused,
  openDatabase,
  ReadOnlyServer,
  runtimeUrl,
} from "../src/index.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { openThings, secret, type Things } from "./support/things.ts";

let things: Things;
let url: string;
/** With one connection, whose statements can be counted. */
let database: Database;
let store: GroupCommit;

beforeAll(async () => {
  things = await openThings();
  url = await runtimeUrl(things.adminUrl, "thing", secret);
  database = openDatabase({ url, schema: "thing", service: "thing", connectionsMax: 1 });
  store = createGroupCommit({ database, subjectTable: "thing", rowColumns, eventTable: "thing_event" });
});
afterAll(async () => {
  await store.close();
  await database.close();
  await things.close();
});

describe("the answer of a key", () => {
  it("is the one that its commit stored, and none where the key is new", async () => {
    const key = keyOf(v7());
    const made = decision({ key });
    const answers = createStoredAnswers(database);
    expect(await answers.find(key)).toBeUndefined();
    await store.commit(made);
    expect(await answers.find(key)).toEqual(made.response);
  });

  it("is refused to another request, and while it is not known", async () => {
    const key = keyOf(v7());
    const answers = createStoredAnswers(database);
    await store.commit(decision({ key }));
    await expect(answers.find({ ...key, fingerprint: keyOf("", "another").fingerprint })).rejects.toThrow(KeyReused);
    const begun = keyOf(v7());
    await database.sql`
      insert into idempotency (caller, method, key, fingerprint)
      values (${begun.caller}, ${begun.method}, ${begun.key}, decode(${begun.fingerprint}, 'hex'))`;
    await expect(answers.find(begun)).rejects.toThrow(KeyInUse);
  });

  it("is found under the scope of an earlier version too, for the same request first", async () => {
    const key = { ...keyOf(v7()), earlier: { scopes: ["earlier:1", "earlier:2"] } };
    await database.sql`
      insert into idempotency (caller, method, key, fingerprint, response)
      values ('earlier:1', ${key.method}, ${key.key}, decode('00', 'hex'), '"another"'),
        ('earlier:2', ${key.method}, ${key.key}, decode(${key.fingerprint}, 'hex'), '"of this request"')`;
    expect(await createStoredAnswers(database).find(key)).toBe("of this request");
  });

  it("is looked up by one statement for all that ask at once, each of which gets its own", async () => {
    const answers = createStoredAnswers(database);
    const keys = Array.from({ length: 20 }, () => keyOf(v7()));
    const made = keys.slice(10).map((key) => decision({ key }));
    await Promise.all(made.map((each) => store.commit(each)));
    const before = await lookUps();
    const reused = keys.slice(-1).map((key) => ({ ...key, fingerprint: keyOf("", "another").fingerprint }));
    const found = await Promise.allSettled([...keys, ...reused].map((key) => answers.find(key)));
    expect(found.map((one) => (one.status === "fulfilled" ? one.value : one.reason))).toEqual([
      ...Array(10).fill(undefined),
      ...made.map(({ response }) => response),
      expect.any(KeyReused),
    ]);
    expect((await lookUps()) - before).toBe(1);
  });

  it("is not said to be missing by a server that takes no writes: it may be behind", async () => {
    const role = things.admin(decodeURIComponent(new URL(url).username));
    await things.admin`alter role ${role} set default_transaction_read_only = on`;
    const behind = openDatabase({ url, schema: "thing", service: "thing" });
    try {
      await expect(createStoredAnswers(behind).find(keyOf(v7()))).rejects.toBeInstanceOf(ReadOnlyServer);
    } finally {
      await behind.close();
      await things.admin`alter role ${role} reset default_transaction_read_only`;
    }
  });
});

async function lookUps(): Promise<number> {
  const [row] = await database.sql<{ count: number }[]>`
    select coalesce(sum(generic_plans + custom_plans), 0)::int as count from pg_prepared_statements
    where statement like '%left join lateral%' and statement not like '%pg_prepared%'`;
  return row?.count ?? 0;
}
