import { randomUUID } from "node:crypto";
import type { Sql } from "./connection/connection.ts";

/** A lease is renewed this many times in its life, so that one lost renewal does not lose it. */
const renewalsPerLife = 3;

/**
 * Runs work that one process at a time may do. Returns undefined at once if another process is running it.
 *
 * The lease is a row with an expiry. It is renewed while the work runs, released after it, and expires `ttlMs` after
 * its holder died or was frozen. The signal aborts when the lease is lost, and the work should stop: another process
 * may run it from then on, so the work must be safe to run twice.
 */
export async function withLease<T>(
  sql: Sql,
  o: { name: string; holder: string; ttlMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  // Two runs of one process are two holders.
  const holder = `${o.holder}/${randomUUID()}`;
  const taken = await sql`
    insert into lease (name, holder, expire_time)
    values (${o.name}, ${holder}, clock_timestamp() + ${o.ttlMs} * interval '1 millisecond')
    on conflict (name) do update set holder = excluded.holder, expire_time = excluded.expire_time
    where lease.expire_time <= clock_timestamp()
    returning 1`;
  if (taken.length === 0) return undefined;
  const lost = new AbortController();
  let validUntil = performance.now() + o.ttlMs;
  const renew = async () => {
    const asked = performance.now();
    const renewed = await sql`
      update lease set expire_time = clock_timestamp() + ${o.ttlMs} * interval '1 millisecond'
      where name = ${o.name} and holder = ${holder} returning 1`.catch(() => undefined);
    if (renewed?.length === 1) validUntil = asked + o.ttlMs;
    // Refused, or no answer from Postgres for the lease's whole life: another process may hold it by now.
    else if (renewed !== undefined || performance.now() >= validUntil) lost.abort(new Error("the lease was lost"));
  };
  const timer = setInterval(() => void renew(), o.ttlMs / renewalsPerLife);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(timer);
    // If this fails, the lease expires.
    await sql`delete from lease where name = ${o.name} and holder = ${holder}`.catch(() => undefined);
  }
}
