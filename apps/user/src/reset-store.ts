import type { Database, Transaction } from "@rialto/database";
import { publish } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { resetPublicationOf } from "./user-message.ts";

/** How long the link of a mail is good for. */
const tokenMsMax = 30 * 60_000;
/** How long after it was asked for the mail may be sent: a mail server may be down. */
const mailMsMax = 24 * 3_600_000;
const sweepRowsMax = 500;

export interface ResetStore {
  /** Writes down that a mail was asked for, and tells who sends it; neither where the account was disabled meanwhile. */
  request(o: { readonly userId: string; readonly now: Date; readonly traceparent: string }): Promise<void>;
  /** Gives a reset its token, in place of an earlier one. Answers until when it is good; undefined where the reset is not open. */
  arm(id: string, o: { readonly tokenHash: Buffer; readonly now: Date }): Promise<Date | undefined>;
  /** Whether a token can still be used. */
  isGood(tokenHash: Buffer, now: Date): Promise<boolean>;
  /** Removes some that nobody can use any more. */
  sweep(now: Date): Promise<void>;
}

/** Opens the store: the SQL of password resets. */
export function createResetStore({ sql }: Pick<Database, "sql">): ResetStore {
  return {
    async request({ userId, now, traceparent }) {
      const reset = { id: uuidv7(), userId, time: now };
      await sql.begin(async (tx) => {
        // The lock makes it wait for somebody who is disabling the account, and see it as it is then.
        const asked = await tx`
          insert into password_reset (id, account_id, create_time, expire_time)
          select ${reset.id}::uuid, id, ${now}::timestamptz, ${new Date(+now + mailMsMax)}::timestamptz
          from account where id = ${userId} and disable_time is null for share`;
        if (asked.count === 1) await publish(tx, resetPublicationOf(reset, traceparent));
      });
    },

    async arm(id, { tokenHash, now }) {
      const [row] = await sql<{ expire_time: Date }[]>`
        update password_reset set token_hash = ${tokenHash}, expire_time = ${new Date(+now + tokenMsMax)}
        where id = ${id} and use_time is null and expire_time > ${now} and create_time > ${new Date(+now - mailMsMax)}
        returning expire_time`;
      return row?.expire_time;
    },

    async isGood(tokenHash, now) {
      const rows =
        await sql`select 1 from password_reset where token_hash = ${tokenHash} and use_time is null and expire_time > ${now}`;
      return rows.length === 1;
    },

    async sweep(now) {
      await sql`
        delete from password_reset where id in (
          select id from password_reset where expire_time < ${now} order by expire_time limit ${sweepRowsMax} for update skip locked)`;
    },
  };
}

/** Spends a token: whose account it was for, once. The account's other resets are over with it. */
export async function useReset(tx: Transaction, tokenHash: Buffer, now: Date): Promise<string | undefined> {
  // The account is locked before its resets, as by all who end them: of two who want both, neither waits for the other for ever.
  const [account] = await tx<{ id: string }[]>`
    select id from account
    where id = (select account_id from password_reset where token_hash = ${tokenHash}) and disable_time is null
    for no key update`;
  if (account === undefined) return undefined;
  const used = await tx`
    update password_reset set use_time = ${now}
    where token_hash = ${tokenHash} and use_time is null and expire_time > ${now}`;
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
