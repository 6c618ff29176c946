import { type Database, oneOf } from "@rialto/database";
import { hasCheckoutWork } from "../schema.ts";
import { orderStatuses } from "../statuses.ts";
import type { QueueReading } from "./shedding.ts";

/** Counts no further: by far more than can wait for 10 s. */
const countedMax = 50_000;
/** Where a new reader begins to look: twice as far back as the delay at which the longest setting admits nothing. */
const lookBackMs = 600_000;

/** Reads the queue of the checkout. */
export interface QueueReader {
  /** The orders that wait for their first attempt. */
  readQueue(): Promise<QueueReading>;
  /** Counts the orders that have work left, and stops at `max`. */
  countUnfinished(max: number): Promise<number>;
}

/**
 * Creates a reader. What it reads stands in the service's own schema, so a replica that runs no step reads the same as
 * one that does, on either job back end.
 *
 * An order has had its first attempt when it is no longer PENDING, or when the event of the attempt failed and is
 * pending in the inbox. The newest such order is the front of the queue, as orders are attempted in the order of their
 * ids (UUIDv7) but for a few that are in work at the same time. The orders behind it are the queue. An order before it
 * that is still PENDING is none that waits for us: its card network, its product service or its lost job is what it
 * waits for, and those that came after it were not held up.
 *
 * It costs a look into one index for each status, and a count of what waits and what left since the reading before: 0.1
 * ms where nothing waits, 4 ms where 10,000 do. The front only moves forward, and each reading begins at the one
 * before. Times are those of Postgres: `next_attempt_time` is when the row was inserted, until a sweeper claims it.
 */
export function createQueueReader({ sql }: Pick<Database, "sql">): QueueReader {
  let front = firstIdAt(Date.now() - lookBackMs);
  let readAt: number | undefined;
  return {
    async readQueue() {
      const [row] = await sql.unsafe<Row[]>(queueStatement, [front], { prepare: true });
      if (row === undefined) throw new Error("the reading of the queue has no row");
      const { waiting, oldestMs, started, time } = row;
      const elapsedMs = readAt === undefined ? 0 : time - readAt;
      front = row.front;
      readAt = time;
      return { waiting, oldestMs, started, elapsedMs };
    },
    async countUnfinished(max) {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from (select from orders where ${sql.unsafe(hasCheckoutWork)} limit ${max}) found`;
      return row?.count ?? 0;
    },
  };
}

interface Row {
  readonly front: string;
  readonly waiting: number;
  readonly oldestMs: number;
  readonly started: number;
  /** Of Postgres, in ms. */
  readonly time: number;
}

const newestAttempted = [
  ...orderStatuses
    .filter((status) => status !== "PENDING")
    .map((status) => `(select id from orders where ${oneOf("status", [status])} and id > $1 order by id desc limit 1)`),
  `(select subject::uuid from inbox_pending
    where subscription = 'checkout' and subject > $1::uuid::text order by inbox_pending.subject desc limit 1)`,
];

const queueStatement = `
with front as materialized (select greatest($1::uuid, ${newestAttempted.join(", ")}) as id)
select front.id as front,
  (select count(*)::int from (select from orders where id > front.id limit ${countedMax}) behind) as waiting,
  coalesce((select greatest(0, extract(epoch from clock_timestamp()
      - case when attempt_version = version then update_time else next_attempt_time end) * 1000)::float8
    from orders where id > front.id order by id limit 1), 0) as "oldestMs",
  (select count(*)::int from (select from orders where id > $1 and id <= front.id limit ${countedMax}) passed) as started,
  (extract(epoch from clock_timestamp()) * 1000)::float8 as time
from front`;

/** The lowest UUIDv7 of a time. */
function firstIdAt(ms: number): string {
  const hex = Math.floor(ms).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
