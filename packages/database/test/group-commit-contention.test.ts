import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../src/connection/connection.ts";
import { createDecisionEncoder } from "../src/group-commit/decision.ts";
import { createGroupCommit, type Decision, type JsonValue, type Outcome, runtimeUrl, type Sql } from "../src/index.ts";
import { decision, keyOf, rowColumns } from "./support/decisions.ts";
import { seededRandom } from "./support/seeded-random.ts";
import { openThings, secret, type Things } from "./support/things.ts";

const seed = 20_261_124;
const tables = { subjectTable: "thing", rowColumns, eventTable: "thing_event" };

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

/** What must hold of the tables whatever was decided by whom. */
async function expectSound(): Promise<void> {
  const { sql } = things.database;
  const gaps = await sql`
    select t.id from thing t left join thing_event e on e.subject_id = t.id
    group by t.id, t.version having t.version <> count(e.version) or t.version <> max(e.version)`;
  expect(gaps).toEqual([]);
  const unsent = await sql`
    select coalesce(e.id, o.event_id) from thing_event e full join outbox o on o.event_id = e.id
    where e.id is null or o.id is null or o.version <> e.version`;
  expect(unsent).toEqual([]);
  const strangers = await sql`
    select i.key from idempotency i left join thing_event e on e.id = (i.response ->> 'answered')::uuid where e.id is null`;
  expect(strangers).toEqual([]);
  const disorder = await sql`
    select 1 from outbox a join outbox b on a.subject = b.subject where a.id < b.id and a.version >= b.version`;
  expect(disorder).toEqual([]);
}

describe(`the statement under contention (seed ${seed})`, () => {
  it("never meets a deadlock: 600 overlapping batches of 4 clients, ids in random order", async () => {
    const random = seededRandom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const { statement } = createGroupCommit({ database: things.database, ...tables });
    const subjects = Array.from({ length: 40 }, () => v7());
    const first = await Promise.all(
      subjects.map((id) => createGroupCommit({ database: things.database, ...tables }).commit(decision({ id }))),
    );
    expect(first.every((outcome) => outcome.kind === "COMMITTED")).toBe(true);

    /** Versions as this process knows them, for all clients: often right, often overtaken. */
    const known = new Map(subjects.map((id) => [id, 1]));
    const outcomes = new Map<string, number>();
    const sqlStates: string[] = [];
    let batches = 0;

    const batch = (): Decision[] => {
      const chosen = new Set(Array.from({ length: 2 + below(14) }, () => subjects[below(subjects.length)] ?? ""));
      const changes = [...chosen].map((id) =>
        decision({ id, expected: known.get(id) ?? 1, ...(below(2) === 0 && { key: keyOf(`hot-${below(60)}`) }) }),
      );
      const creations = Array.from({ length: below(4) }, () => decision({ key: keyOf(`hot-${below(60)}`) }));
      // The order in which they stand in the batch is random too.
      return [...changes, ...creations].sort(() => random() - 0.5);
    };

    const encode = createDecisionEncoder(Object.keys(rowColumns));
    const url = await runtimeUrl(things.adminUrl, "thing", secret);
    const settings = { search_path: "thing", plan_cache_mode: "force_generic_plan", enable_seqscan: "off", jit: "off" };
    const clients: Sql[] = Array.from({ length: 4 }, () => connect(url, { max: 1, connection: settings }));
    await Promise.all(
      clients.map(async (client) => {
        while (batches < 600) {
          batches += 1;
          const decisions = batch();
          try {
            const parameter = `[${decisions.map(encode).join(",")}]`;
            const rows = await client.unsafe<{ n: number; outcome: string }[]>(statement, [parameter], {
              prepare: true,
            });
            for (const { n, outcome } of rows) {
              const { id, expected } = decisions[n - 1] ?? decision();
              outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
              if (outcome === "COMMITTED" || outcome === "CONFLICT")
                known.set(id, Math.max(known.get(id) ?? 0, expected + 1));
            }
          } catch (error) {
            sqlStates.push(error instanceof Error && "code" in error ? String(error.code) : String(error));
          }
        }
      }),
    );
    await Promise.all(clients.map((client) => client.end()));

    expect(batches).toBe(600);
    expect(sqlStates).toEqual([]);
    // It was a fight: every outcome was seen.
    expect([...outcomes.keys()].sort()).toEqual(["COMMITTED", "CONFLICT", "LOOK_UP", "REPLAY"]);
    const [deadlocks] = await things.admin<{ deadlocks: bigint }[]>`
      select deadlocks from pg_stat_database where datname = current_database()`;
    expect(deadlocks?.deadlocks).toBe(0n);
    await expectSound();
  });

  it("tells every client the truth: 4 stores, hot subjects, hot keys and bad rows", async () => {
    const random = seededRandom(seed + 1);
    const below = (n: number) => Math.floor(random() * n);
    const stores = Array.from({ length: 4 }, () =>
      createGroupCommit({ database: things.another(), ...tables, writers: 1, batchMax: 16 }),
    );
    const subjects = Array.from({ length: 12 }, () => v7());
    const known = new Map(subjects.map((id) => [id, 0]));
    const told: { decision: Decision; outcome: Outcome | undefined }[] = [];
    await Promise.all(
      Array.from({ length: 32 }, async (_, client) => {
        for (let turn = 0; turn < 25; turn += 1) {
          const id = subjects[below(subjects.length)] ?? "";
          const key = below(3) === 0 ? { key: keyOf(`warm-${below(80)}`, `request ${below(2)}`) } : {};
          const bad = below(12) === 0 ? { total: "-1" } : {};
          const made = decision({ id, expected: known.get(id) ?? 0, ...key, ...bad });
          const outcome = await stores[client % 4]?.commit(made).catch(() => undefined);
          if (outcome?.kind === "COMMITTED") known.set(id, outcome.version);
          if (outcome?.kind === "CONFLICT" && outcome.version !== undefined) known.set(id, outcome.version);
          told.push({ decision: made, outcome });
        }
      }),
    );
    await Promise.all(stores.map((store) => store.close()));

    const { sql } = things.database;
    const logged = new Set((await sql<{ id: string }[]>`select id from thing_event`).map((row) => row.id));
    const keys = await sql<{ key: string; response: JsonValue }[]>`select key, response from idempotency`;
    const answers = new Map(keys.map((row) => [row.key, row.response]));
    for (const { decision: made, outcome } of told) {
      expect(logged.has(made.event.id)).toBe(outcome?.kind === "COMMITTED");
      if (outcome?.kind === "COMMITTED" && made.key) expect(answers.get(made.key.key)).toEqual(made.response);
      if (outcome?.kind === "REPLAY") expect(outcome.response).toEqual(answers.get(made.key?.key ?? ""));
      if (outcome === undefined) expect(made.row.total).toBe("-1");
    }
    const kinds = new Set(told.map(({ outcome }) => outcome?.kind));
    expect([...kinds]).toEqual(expect.arrayContaining(["COMMITTED", "CONFLICT", "REPLAY", "KEY_REUSED", undefined]));
    await expectSound();
  });
});
