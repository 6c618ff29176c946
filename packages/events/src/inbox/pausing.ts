import type { Sql, Transaction } from "@rialto/database";

/** Pauses a subscription of the subscriber whose schema `sql` sees: every process that runs it stops taking its events soon after. */
export async function pauseSubscription(sql: Sql | Transaction, subscription: string): Promise<void> {
  await sql`insert into inbox_pause (subscription) values (${subscription}) on conflict (subscription) do nothing`;
}

/** Lets a paused subscription go on from where it stood. */
export async function resumeSubscription(sql: Sql | Transaction, subscription: string): Promise<void> {
  await sql`delete from inbox_pause where subscription = ${subscription}`;
}

/** Whether a person has paused the subscription. */
export async function isPaused(sql: Sql | Transaction, subscription: string): Promise<boolean> {
  const [paused] = await sql`select 1 as paused from inbox_pause where subscription = ${subscription}`;
  return paused !== undefined;
}
