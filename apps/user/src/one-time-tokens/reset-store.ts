import type { Database, Transaction } from "@rialto/database";
import { publish } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { resetPublicationOf } from "../user/message.ts";

/** How long the link of a mail is good for. */
const tokenMsMax = 30 * 60_000;
/** How long after it was asked for the mail may be sent: a mail server may be down. */
const mailMsMax = 24 * 3_600_000;
/** A mail that was asked for so short a time ago is the answer to further requests. Its link outlives that time by far. */
const coalescedMs = 5 * 60_000;
const sweepRowsMax = 500;

/** Keeps the requests for a new password. All times are of Postgres' clock: one process writes them, and others compare them. */
export interface ResetStore {
  /**
   * Writes down that a mail was asked for, and tells who sends it. Neither where the account was disabled meanwhile, nor where a mail was asked
   * for just before: that one is as good, and no number of requests keeps its owner from having it.
   */
  request(o: { readonly userId: string; readonly traceparent: string }): Promise<void>;
  /** Gives a reset its token, in place of an earlier one. Answers until when it is good; undefined where the reset is not open. */
  arm(id: string, tokenHash: Buffer): Promise<Date | undefined>;
  /** Whether a token can still be used. */
  isGood(tokenHash: Buffer): Promise<boolean>;
  /** Removes those that nobody can use any more, a little at a time. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** Opens the store: the SQL of password resets. */
export function createResetStore({ sql }: Pick<Database, "sql">): ResetStore {
  return {
    async request({ userId, traceparent }) {
      const id = uuidv7();
      await sql.begin(async (tx) => {
        // The lock makes it wait for somebody who is disabling the account, and see it as it is then; and of two requests at once one is the first.
        const open = await tx`select 1 from account where id = ${userId} and disable_time is null for no key update`;
        if (open.count === 0) return;
        const [asked] = await tx<{ time: Date }[]>`
          insert into password_reset (id, account_id, create_time, expire_time)
          select ${id}, ${userId}, clock_timestamp(), clock_timestamp() + ${mailMsMax} * interval '1 millisecond'
          where not exists (
            select from password_reset
            where account_id = ${userId} and use_time is null and create_time > clock_timestamp() - ${coalescedMs} * interval '1 millisecond')
          returning create_time as time`;
        if (asked !== undefined) await publish(tx, resetPublicationOf({ id, userId, time: asked.time }, traceparent));
      });
    },

    async arm(id, tokenHash) {
      const [row] = await sql<{ expire_time: Date }[]>`
        update password_reset set token_hash = ${tokenHash}, expire_time = now() + ${tokenMsMax} * interval '1 millisecond'
        where id = ${id} and use_time is null and expire_time > now()
          and create_time > now() - ${mailMsMax} * interval '1 millisecond'
        returning expire_time`;
      return row?.expire_time;
    },

    async isGood(tokenHash) {
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

/** Spends a token: whose account it was for, once. The account's other resets are over with it. */
export async function useReset(tx: Transaction, tokenHash: Buffer): Promise<string | undefined> {
  // The account is locked before its resets, as by all who end them: of two who want both, neither waits for the other for ever.
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
 * Ends an account's resets, whether their mail was sent or not; whoever calls it holds the account's lock. Their rows go, so that a mail
 * that is about to be sent finds none to arm, whatever its process's clock says.
 */
export async function endResets(tx: Transaction, userId: string): Promise<void> {
  await tx`delete from password_reset where account_id = ${userId} and use_time is null`;
}
