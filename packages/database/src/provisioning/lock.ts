import { sleep } from "@rialto/async";
import type { Logger } from "@rialto/telemetry";
import { type Sql, withAdmin } from "../connection/connection.ts";
import { ProvisioningBlocked } from "../connection/errors.ts";
import { codeOf } from "../connection/outage.ts";

/** The advisory lock of provisioning: one number for all of Rialto. */
const provisioningLock = 7_242_017_001;
const blockerPollMs = 250;

/**
 * Runs work that one process at a time may do on a database. Any role can take an advisory lock, and the lock's number
 * is no secret, so a session that holds the lock and whose role cannot provision is terminated: no runtime role can
 * keep Rialto from starting. Waiters are served in order, so that session does not get the lock again first. Throws
 * `ProvisioningBlocked` where it may not be terminated.
 */
export async function withProvisioningLock<T>(
  o: { readonly admin: Sql; readonly adminUrl: string; readonly log: Logger },
  work: () => Promise<T>,
): Promise<T> {
  const { admin } = o;
  await takeLock(o);
  try {
    return await work();
  } finally {
    await admin`select pg_advisory_unlock(${provisioningLock})`;
  }
}

async function takeLock({ admin, adminUrl, log }: Parameters<typeof withProvisioningLock>[0]): Promise<void> {
  const [row] = await admin<{ taken: boolean }[]>`select pg_try_advisory_lock(${provisioningLock}) as taken`;
  if (row?.taken === true) return;
  const waiting = new AbortController();
  const taken = admin`select pg_advisory_lock(${provisioningLock})`.finally(() => waiting.abort());
  const watching = withAdmin(adminUrl, async (sql) => {
    while (!waiting.signal.aborted) {
      await endBlockers(sql, log);
      await sleep(blockerPollMs, { signal: waiting.signal });
    }
  });
  await Promise.all([taken, watching]);
}

async function endBlockers(sql: Sql, log: Logger): Promise<void> {
  const blockers = await sql<{ pid: number; role: string }[]>`
    select pid, rolname as role from pg_locks
    join pg_stat_activity using (pid) join pg_roles on pg_roles.oid = usesysid
    where locktype = 'advisory' and granted and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32 | objid::bigint) = ${provisioningLock} and not rolsuper and not rolcreaterole`;
  for (const { pid, role } of blockers) {
    try {
      await sql`select pg_terminate_backend(${pid})`;
      log.warn({ pid, role }, "terminated a session that held the provisioning lock and may not provision");
    } catch (error) {
      if (codeOf(error) === "42501") throw new ProvisioningBlocked(role, pid);
      throw error;
    }
  }
}
