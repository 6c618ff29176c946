import type { Decision, IdempotencyKey, Sql } from "../../src/index.ts";
import { rowColumns } from "./decisions.ts";

// What version 0.1 did with keys, for tests of a roll-out in which both versions run: its key has one scope, with the
// role in it, and it knows no other.

type OldKey = Pick<IdempotencyKey, "caller" | "method" | "key" | "fingerprint">;

/** As `once` of 0.1 does the work of a request, or finds its answer. */
export async function onceAsBefore(sql: Sql, key: OldKey, answer: string): Promise<string> {
  return await sql.begin(async (tx) => {
    const claimed = await tx`insert into idempotency (caller, method, key, fingerprint)
      values (${key.caller}, ${key.method}, ${key.key}, decode(${key.fingerprint}, 'hex'))
      on conflict (caller, method, key) do nothing returning 1`;
    if (claimed.length === 1) {
      await tx`update idempotency set response = ${JSON.stringify(answer)}::text::jsonb
        where caller = ${key.caller} and method = ${key.method} and key = ${key.key}`;
      return answer;
    }
    const [row] = await tx<{ same: boolean; response: string }[]>`
      select fingerprint = decode(${key.fingerprint}, 'hex') as same, response
      from idempotency where caller = ${key.caller} and method = ${key.method} and key = ${key.key}`;
    return row?.same === true ? row.response : "KEY_REUSED";
  });
}

/** As the group commit of 0.1 commits one decision that creates a subject. */
export async function commitAsBefore(
  sql: Sql,
  made: Decision,
  key: OldKey,
): Promise<{ outcome: string; response: unknown }> {
  const row = Object.entries(made.row).map(([column, value]) => [`row_${column}`, value]);
  const { event } = made;
  const parameter = {
    ...Object.fromEntries(row),
    ...{ id: made.id, expected: 0, event_id: event.id, event_type: event.type, event_payload: event.payload },
    ...{ event_actor: event.actor, event_reason: event.reason, event_traceparent: event.traceparent },
    ...{ event_time: event.time, topic: made.message?.topic, message: made.message?.payload },
    ...{ ...key, response: made.response },
  };
  const [answer] = await sql.unsafe<{ outcome: string; response: unknown }[]>(statement, [JSON.stringify([parameter])]);
  if (answer === undefined) throw new Error("a decision has an outcome");
  return answer;
}

const columns = Object.keys(rowColumns);
const list = (form: (column: string) => string) => columns.map((column) => `${form(column)}, `).join("");
const statement = `
with d as materialized (
  select ordinality::int as n, id, expected, ${list((c) => `"row_${c}"`)}
    event_id, event_type, event_payload, event_actor, event_reason, event_traceparent, event_time, topic, message,
    caller, method, key, decode(fingerprint, 'hex') as fingerprint, response
  from rows from (jsonb_to_recordset($1::text::jsonb) as (
    id uuid, expected int, ${list((c) => `"row_${c}" ${Object.entries(rowColumns).find(([name]) => name === c)?.[1]}`)}
    event_id uuid, event_type text, event_payload jsonb, event_actor text, event_reason text, event_traceparent text,
    event_time timestamptz, topic text, message jsonb, caller text, method text, key text, fingerprint text,
    response jsonb)) with ordinality),
seen as materialized (
  select d.n, k.same, k.answered, k.response from d cross join lateral (
    select i.fingerprint = d.fingerprint as same, i.response is not null as answered, i.response from idempotency i
    where i.caller = d.caller and i.method = d.method and i.key = d.key limit 1) k),
fit as materialized (select * from d where n not in (select n from seen)),
claimed as (
  insert into idempotency (caller, method, key, fingerprint, response)
  select distinct on (caller, method, key) caller, method, key, fingerprint, coalesce(response, 'null'::jsonb)
  from fit order by caller, method, key, n
  on conflict (caller, method, key) do nothing returning caller, method, key),
won as materialized (
  select * from fit where (caller, method, key) in (select caller, method, key from claimed)),
stored as (
  insert into thing (id, ${list((c) => `"${c}"`)}version)
  select id, ${list((c) => `"row_${c}"`)}expected + 1 from won),
logged as (
  insert into thing_event (subject_id, version, id, type, payload, actor, reason, traceparent, time)
  select id, expected + 1, event_id, event_type, event_payload, event_actor, event_reason, event_traceparent, event_time
  from won),
sent as (
  insert into outbox (event_id, topic, subject, version, time, traceparent, payload)
  select event_id, topic, id::text, expected + 1, event_time, event_traceparent, message from won)
select d.n, case when d.n in (select n from won) then 'COMMITTED'
    when s.n is not null then
      case when not s.same then 'KEY_REUSED' when s.answered then 'REPLAY' else 'KEY_IN_USE' end
    else 'LOOK_UP' end as outcome, s.response
from d left join seen s on s.n = d.n`;
