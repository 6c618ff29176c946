import type { Database, Transaction } from "@rialto/database";
import { publish } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { resetPublicationOf } from "../user/message.ts";

/** How long the link in a mail is valid. */
const tokenMsMax = 30 * 60_000;
/** How long after the request the mail may still be sent: the mail server may be down. */
const mailMsMax = 24 * 3_600_000;
/**
 * Further requests within this time after a mail was requested send no other mail. The link is valid for much longer.
 */
const coalesceMs = 5 * 60_000;
const sweepRowsMax = 500;

/** Stores password resets. All times are by the clock of Postgres, because several processes write and compare them. */
export interface ResetStore {
  /**
   * Requests a mail and publishes the event for it. Does nothing if the account is disabled, or if a mail was just
   * requested: that mail serves as well, and further requests must not delay or replace it.
   */
  request(o: { readonly userId: string; readonly traceparent: string }): Promise<void>;
  /** Issues the token of a reset, in place of an earlier one. Returns its expiry; undefined if the reset has ended. */
  issueToken(id: string, tokenHash: Buffer): Promise<Date | undefined>;
  /** Whether a token can be redeemed. */
  isValid(tokenHash: Buffer): Promise<boolean>;
  /** Deletes expired resets, in batches. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** Opens the store. */
export function createResetStore({ sql }: Pick<Database, "sql">): ResetStore {
  return {
    async request({ userId, traceparent }) {
      const id = uuidv7();
      await sql.begin(async (tx) => {
        // The lock waits for a concurrent change of the account and then sees its result. It also serializes concurrent
        // requests.
        const open = await tx`select 1 from account where id = ${userId} and disable_time is null for no key update`;
        if (open.count === 0) return;
        const [asked] = await tx<{ time: Date }[]>`
          insert into password_reset (id, account_id, create_time, expire_time)
          select ${id}, ${userId}, clock_timestamp(), clock_timestamp() + ${mailMsMax} * interval '1 millisecond'
          where not exists (
            select from password_reset
            where account_id = ${userId} and use_time is null and create_time > clock_timestamp() - ${coalesceMs} * interval '1 millisecond')
          returning create_time as time`;
        if (asked !== undefined) await publish(tx, resetPublicationOf({ id, userId, time: asked.time }, traceparent));
      });
    },

    async issueToken(id, tokenHash) {
      const [row] = await sql<{ expire_time: Date }[]>`
        update password_reset set token_hash = ${tokenHash}, expire_time = now() + ${tokenMsMax} * interval '1 millisecond'
        where id = ${id} and use_time is null and expire_time > now()
          and create_time > now() - ${mailMsMax} * interval '1 millisecond'
        returning expire_time`;
      return row?.expire_time;
    },

    async isValid(tokenHash) {
      const rows =
        await sql`select 1 from password_reset where token_hash = ${tokenHash} and use_time is null and expire_time > now()`;
      return rows.length === 1;
    },

    async sweep(signal) {
      for (let rows = sweepRowsMax; rows === sweepRowsMax && !signal.aborted; ) {
        const swept = await sql`
          delete from password_reset where id in (
            select id from password_reset where expire_time < now() order by expire_time limit ${sweepRowsMax} for update skip locked)`;
        rows = swept.count;
      }
    },
  };
}

/**
 * Consumes the reset of a token and ends the account's other resets. Returns the id of the account; undefined if the
 * token cannot be redeemed.
 */
export async function consumeReset(tx: Transaction, tokenHash: Buffer): Promise<string | undefined> {
  // Locks the account before its resets, in the same order as everything that ends them. This prevents deadlocks.
  const [account] = await tx<{ id: string }[]>`
    select id from account
    where id = (select account_id from password_reset where token_hash = ${tokenHash}) and disable_time is null
    for no key update`;
  if (account === undefined) return undefined;
  const used = await tx`
    update password_reset set use_time = now() where token_hash = ${tokenHash} and use_time is null and expire_time > now()`;
  if (used.count === 0) return undefined;
  await endResets(tx, account.id);
  return account.id;
}

/**
 * Ends an account's open resets, whether their mail was sent or not. The caller holds the lock on the account. Deletes
 * the rows, so that no token can be issued for a mail that is about to be sent, whatever the clock of its process.
 */
export async function endResets(tx: Transaction, userId: string): Promise<void> {
  await tx`delete from password_reset where account_id = ${userId} and use_time is null`;
}
