/** The tables of one kind of subject. */
export interface Tables {
  readonly schema: string;
  readonly subjectTable: string;
  /** Column to Postgres type, without id and version. */
  readonly rowColumns: Readonly<Record<string, string>>;
  readonly eventTable: string;
  /** Whether the schema has an inbox. */
  readonly inbox: boolean;
  /** Whether the schema has an audit log. */
  readonly audit: boolean;
}

/**
 * Returns the statement that commits many independent decisions at once, each with its own outcome (proved in
 * docs/group-commit.md).
 *
 * All of it is one order of locks: subjects by id, then keys by name, then new rows by id, then inbox rows. Whatever
 * else locks subjects must lock them by id too, and before any key. What each part is for:
 *
 * - `seen` first: a retry whose version was taken by its own first try is a replay, not a conflict.
 * - `locked` waits for the holder of a subject, and then has the version as committed. It uses `= any`, because a join
 *   would return a subject twice that is twice in the batch.
 * - `present` is what is there already of what is to be created: a conflict, without an error that would cost the batch
 *   its halves. One that is committed only while the statement runs is refused by the event log's primary key.
 * - `fit` before `claimed`: a loser by version must not own its key, or its retry would replay work that never
 *   happened. The sort in `claimed` drains it, so every subject is locked before any key is.
 * - `kept` stores a won key under its earlier scopes too, with its whole answer, as long as the schema admits replicas
 *   of version 0.1 (no migration that ended that is applied). It has no ON CONFLICT: where such a replica was faster,
 *   the batch is refused as a whole, and the one decision looks up what that replica stored.
 * - `won` is DISTINCT: of two decisions with one key in a batch one wins.
 * - `stored` is an upsert because its WHERE sees the newest row; that of an UPDATE would see the one of the statement's
 *   beginning. A subject that is there already though it was to be created keeps its row, and the event log's primary
 *   key refuses the batch.
 *
 * No join between CTEs but the last: each is thought to have one row, and a generic plan would nest loops over them.
 */
export function groupCommitStatement(o: Tables): string {
  const { subject, events, idempotency, outbox, inbox, audit, compatibility } = names(o);
  const columns = Object.keys(o.rowColumns);
  const list = (form: (column: string) => string) => columns.map((column) => `${form(column)}, `).join("");
  const consumed = o.inbox
    ? `,
consumed as (
  insert into ${inbox} (subscription, event_id)
  select distinct subscription, consumed_id from won where subscription is not null order by subscription, consumed_id
  on conflict (subscription, event_id) do nothing)`
    : "";
  const audited = o.audit
    ? `,
audited as (
  insert into ${audit} (id, actor, method, subject, changes, request_id, client_address)
  select (audit->>'id')::uuid, audit->>'actor', audit->>'method', audit->>'subject', audit->'changes',
    audit->>'request_id', audit->>'client_address'
  from won where audit is not null)`
    : "";
  return `
with d as materialized (
  select ordinality::int as n, id, expected, ${list((c) => `"row_${c}"`)}
    event_id, event_type, event_payload, event_actor, event_reason, event_traceparent, event_time, topic, message,
    caller, method, key, decode(fingerprint, 'hex') as fingerprint, scopes, fingerprints, kept, response,
    subscription, consumed_id, audit
  from rows from (jsonb_to_recordset($1::text::jsonb) as (
    id uuid, expected int, ${list((c) => `"row_${c}" ${o.rowColumns[c]}`)}
    event_id uuid, event_type text, event_payload jsonb, event_actor text, event_reason text, event_traceparent text,
    event_time timestamptz, topic text, message jsonb, caller text, method text, key text, fingerprint text,
    scopes text[], fingerprints text[], kept text[], response jsonb, subscription text, consumed_id uuid,
    audit jsonb)) with ordinality),
seen as materialized (
  select d.n, k.same, k.answered, k.response from d cross join lateral (${storedKey(idempotency)}) k),
locked as materialized (
  select o.id, o.version from ${subject} o
  where o.id = any (array(select d.id from d where d.expected > 0 and d.n not in (select n from seen)))
  order by o.id for update),
present as materialized (
  select o.id, o.version from ${subject} o where o.id = any (array(select d.id from d where d.expected = 0))),
fit as materialized (
  select * from d where n not in (select n from seen)
    and (expected = 0 and id not in (select id from present)
      or (id, expected) in (select id, version from locked))),
claimed as (
  insert into ${idempotency} (caller, method, key, fingerprint, response)
  select distinct on (caller, method, key) caller, method, key, fingerprint, coalesce(response, 'null'::jsonb)
  from fit where key is not null order by caller, method, key, n
  on conflict (caller, method, key) do nothing returning caller, method, key),
won as materialized (
  select distinct on (caller, method, key, case when key is null then n end) * from fit
  where key is null or (caller, method, key) in (select caller, method, key from claimed)
  order by caller, method, key, case when key is null then n end, n),
stored as (
  insert into ${subject} as current (id, ${list((c) => `"${c}"`)}version)
  select id, ${list((c) => `"row_${c}"`)}expected + 1 from won order by id
  on conflict (id) do update set ${list((c) => `"${c}" = excluded."${c}"`)}version = excluded.version
  where current.version = excluded.version - 1),
logged as (
  insert into ${events} (subject_id, version, id, type, payload, actor, reason, traceparent, time)
  select id, expected + 1, event_id, event_type, event_payload, event_actor, event_reason, event_traceparent, event_time
  from won order by id),
sent as (
  insert into ${outbox} (event_id, topic, subject, version, time, traceparent, payload)
  select event_id, topic, id::text, expected + 1, event_time, event_traceparent, message
  from won where topic is not null order by n)${consumed}${audited},
kept as (
  insert into ${idempotency} (caller, method, key, fingerprint, response)
  select scope, method, key, fingerprint, coalesce(response, 'null'::jsonb)
  from won cross join lateral unnest(won.kept) as scope
  where exists (select from ${compatibility} where oldest_code = 0) order by scope, method, key)
select d.n, case when d.n in (select n from won) then 'COMMITTED'
    when s.n is not null then
      case when not s.same then 'KEY_REUSED' when s.answered then 'REPLAY' else 'KEY_IN_USE' end
    when d.n in (select n from fit) then 'LOOK_UP' else 'CONFLICT' end as outcome, s.response, coalesce(l.version, p.version) as version
from d left join seen s on s.n = d.n left join locked l on l.id = d.id left join present p on p.id = d.id`;
}

/**
 * What became of decisions whose fate their own statement could not tell: it began before what it waited for was
 * committed, or its answer was lost. It must be a statement of its own, as only a new one sees what was committed
 * meanwhile.
 */
export function lookUpStatement(o: Tables): string {
  const { subject, events, idempotency } = names(o);
  return `
with d as materialized (
  select ordinality::int as n, id, event_id, scopes, method, key, fingerprints
  from rows from (jsonb_to_recordset($1::text::jsonb) as (
    id uuid, event_id uuid, scopes text[], method text, key text, fingerprints text[])) with ordinality)
select d.n, k.same, k.answered, k.response, e.version as logged, s.version as version,
  current_setting('transaction_read_only')::boolean as read_only
from d
left join lateral (${storedKey(idempotency)}) k on true
left join lateral (select version from ${events} where subject_id = d.id and id = d.event_id limit 1) e on true
left join lateral (select version from ${subject} where id = d.id limit 1) s on true`;
}

/** What is stored under the keys of requests, whatever their commits would write. */
export function storedAnswersStatement(schema: string): string {
  return `
with d as materialized (
  select ordinality::int as n, scopes, method, key, fingerprints
  from rows from (jsonb_to_recordset($1::text::jsonb) as (
    scopes text[], method text, key text, fingerprints text[])) with ordinality)
select k.same, k.answered, k.response, current_setting('transaction_read_only')::boolean as read_only
from d left join lateral (${storedKey(`"${schema}"."idempotency"`)}) k on true order by d.n`;
}

/** The row of a key of `d`. Where it is stored under several scopes, the one of this request. */
function storedKey(idempotency: string): string {
  return `
  select encode(i.fingerprint, 'hex') = any (d.fingerprints) as same, i.response is not null as answered, i.response
  from ${idempotency} i where i.caller = any (d.scopes) and i.method = d.method and i.key = d.key
  order by same desc limit 1`;
}

function names(o: Tables) {
  const of = (table: string) => `"${o.schema}"."${table}"`;
  return {
    subject: of(o.subjectTable),
    events: of(o.eventTable),
    idempotency: of("idempotency"),
    outbox: of("outbox"),
    inbox: of("inbox"),
    audit: of("audit_entry"),
    compatibility: of("compatibility"),
  };
}
