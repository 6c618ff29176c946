import { createBatcher, type Sql } from "@rialto/database";
import type { Envelope } from "../event/envelope.ts";
import type { Subscription } from "./subscription.ts";

/** How long a process that died keeps the events of its slow handlers. */
const leaseMs = 10_000;
/** Leases are renewed so often that two renewals may fail before one is lost. */
const renewAfterMs = 3_000;
/** Events that one statement leases at most. */
const leasedRowsMax = 200;

/** The leases of one process on the events whose handlers have left their batch. */
export interface SlowLeases {
  /**
   * Makes an event pending whose handler runs, leased to this process. Returns false where it is pending already: it is
   * another process' then.
   */
  take(envelope: Envelope): Promise<boolean>;
  /** Whether this process has the lease, as far as the last renewal has shown. */
  holds(eventId: string): boolean;
  /** No longer renews a lease. */
  drop(eventId: string): void;
  /** Renews the leases where that is due, in one statement. To be called about once a second while there are any. */
  renew(): Promise<void>;
}

/**
 * Creates the leases of a subscription. They are short, because a process that dies leaves its slow events to them, and
 * are renewed, because a handler may run longer. A process that was frozen, or could not reach its database, loses
 * them: its handlers go on beside those of another process, which their effects allow, but no longer decide what
 * becomes of the event.
 *
 * Events that are slow at the same moment, as many are on a busy machine, share a statement.
 *
 * @param now ms, of a clock that only goes forward.
 */
export function createSlowLeases(
  sql: Sql,
  { name }: Pick<Subscription, "name">,
  now: () => number = () => performance.now(),
): SlowLeases {
  /** The end of each lease, as Postgres writes it. Any other write to the row changes it, so it names this lease. */
  const held = new Map<string, string>();
  let renewDue = 0;

  const batcher = createBatcher<Envelope, boolean>({
    inFlightMax: 1,
    divides: false,
    batchMax: leasedRowsMax,
    // As many as may have left their batches: `slow.max` of the subscription.
    queueMax: Number.POSITIVE_INFINITY,
    keysOf: () => [],
    async send(batch) {
      const taken = await insert(batch);
      if (held.size === 0) renewDue = now() + renewAfterMs;
      for (const { id, lease } of taken) held.set(id, lease);
      return batch.map(({ id }) => held.has(id));
    },
    onFailure: () => "fail",
  });

  async function insert(batch: readonly Envelope[]): Promise<readonly Lease[]> {
    const rows = batch.map(({ id, topic, subject, version, json }) => ({ id, topic, subject, version, json }));
    return await sql<Lease[]>`
      insert into inbox_pending (subscription, event_id, state, topic, subject, version, envelope, next_time)
      select ${name}, id, 'RETRY', topic, subject, version, json, now() + ${leaseMs} * interval '1 millisecond'
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        as slow (id uuid, topic text, subject text, version int, json jsonb)
      order by id
      on conflict (subscription, event_id) do nothing
      returning event_id as id, next_time::text as lease`;
  }

  return {
    take: (envelope) => batcher.add(envelope),
    holds: (eventId) => held.has(eventId),
    drop: (eventId) => void held.delete(eventId),
    async renew() {
      if (held.size === 0 || now() < renewDue) return;
      const before = [...held];
      // Whoever has locked a row writes what becomes of its event.
      const renewed = await sql<Lease[]>`
        with mine as (
          select event_id from inbox_pending
          join unnest(${before.map(([id]) => id)}::uuid[], ${before.map(([, lease]) => lease)}::text[]) as held (id, lease)
            on event_id = held.id and next_time = held.lease::timestamptz
          where subscription = ${name} for update of inbox_pending skip locked)
        update inbox_pending set next_time = now() + ${leaseMs} * interval '1 millisecond'
        from mine where subscription = ${name} and inbox_pending.event_id = mine.event_id
        returning inbox_pending.event_id as id, next_time::text as lease`;
      renewDue = now() + renewAfterMs;
      const leases = new Map(renewed.map(({ id, lease }) => [id, lease]));
      for (const [id] of before) {
        const lease = leases.get(id);
        if (lease === undefined) held.delete(id);
        else if (held.has(id)) held.set(id, lease);
      }
    },
  };
}

interface Lease {
  readonly id: string;
  readonly lease: string;
}
