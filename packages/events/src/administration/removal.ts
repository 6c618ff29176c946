import type { Transaction } from "@rialto/database";

/**
 * Forgets a subscription in the publisher's schema that `tx` sees: its registration, and what waits for it. Batches that waited for nobody
 * else are settled with it. Answers whether anything was there.
 *
 * The lock waits for relays that are claiming a batch with the registration in view, so that their deliveries are seen here, and holds off those that
 * come next until there is no registration to be seen.
 */
export async function removeRegistration(tx: Transaction, subscription: string): Promise<boolean> {
  await tx`lock table delivery in share row exclusive mode`;
  const [gone] = await tx<{ registrations: number; deliveries: number }[]>`
    with registrations as (delete from registration where subscription = ${subscription} returning 1),
    deliveries as (delete from delivery where subscription = ${subscription} and settle_time is null returning batch_id),
    settled as (
      update batch set settle_time = now()
      where settle_time is null and id in (select batch_id from deliveries) and not exists (
        select from delivery
        where batch_id = batch.id and subscription <> ${subscription} and settle_time is null))
    select (select count(*)::int from registrations) as registrations, (select count(*)::int from deliveries) as deliveries`;
  return gone !== undefined && gone.registrations + gone.deliveries > 0;
}

/**
 * Forgets a subscription in the subscriber's schema that `tx` sees: what stood aside, its dead letters, its cursors, its pause. The inbox stays, until
 * its time is over: an event that had its effect has none again should the subscription come back. Answers whether anything was there.
 */
export async function removeFromInbox(tx: Transaction, subscription: string): Promise<boolean> {
  const removed = [
    await tx`delete from inbox_pending where subscription = ${subscription}`,
    await tx`delete from inbox_cursor where subscription = ${subscription}`,
    await tx`delete from inbox_pause where subscription = ${subscription}`,
  ];
  return removed.some(({ count }) => count > 0);
}
