import type { Database, Transaction } from "@rialto/database";
import { publish } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { confirmationPublicationOf } from "../user/message.ts";

/** How long the link of a mail is good for. */
const tokenMsMax = 3 * 24 * 3_600_000;
/** How long after it was asked for the mail may be sent: a mail server may be down. */
const mailMsMax = 24 * 3_600_000;
/** How long one is kept after it is over: the mail to the address that an account had before may wait as long as others. */
const keptMs = 7 * 24 * 3_600_000;
/** A mail that was asked for so short a time ago is the answer to further requests. */
const coalescedMs = 5 * 60_000;
const sweepRowsMax = 500;

/** A wish to have an address of an account confirmed by who reads what is sent to it. */
export interface Confirmation {
  readonly userId: string;
  readonly email: string;
  /** The address that the account had before this one took effect. */
  readonly previousEmail: string | undefined;
}

/** Keeps confirmations. All times are of Postgres' clock. */
export interface ConfirmationStore {
  /**
   * Writes down that a mail is wanted, and tells who sends it. Neither where the address has nothing to be confirmed for the account by then, nor where a
   * mail to it was asked for just before.
   */
  request(o: { readonly userId: string; readonly email: string; readonly traceparent: string }): Promise<void>;
  byId(id: string): Promise<Confirmation | undefined>;
  /** Gives a confirmation its token, in place of an earlier one. Answers until when it is good; undefined where it is over. */
  arm(id: string, tokenHash: Buffer): Promise<Date | undefined>;
  /** Removes those that are long over, a little at a time. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** Opens the store: the SQL of confirmations. */
export function createConfirmationStore({ sql }: Pick<Database, "sql">): ConfirmationStore {
  return {
    async request({ userId, email, traceparent }) {
      await sql.begin(async (tx) => {
        // The lock makes it wait for somebody who is changing the account, and see it as it is then; and of two requests at once one is the first.
        const waiting = await tx`
          select 1 from account
          where id = ${userId} and disable_time is null
            and (lower(pending_email) = lower(${email}) or (email_confirm_time is null and lower(email) = lower(${email})))
          for no key update`;
        if (waiting.count === 0) return;
        const recent = await tx`
          select 1 from email_confirmation
          where account_id = ${userId} and lower(email) = lower(${email}) and use_time is null
            and create_time > clock_timestamp() - ${coalescedMs} * interval '1 millisecond' limit 1`;
        if (recent.count === 0) await wantConfirmation(tx, { userId, email, traceparent });
      });
    },

    async byId(id) {
      const [row] = await sql<{ account_id: string; email: string; previous_email: string | null }[]>`
        select account_id, email, previous_email from email_confirmation where id = ${id}`;
      return row && { userId: row.account_id, email: row.email, previousEmail: row.previous_email ?? undefined };
    },

    async arm(id, tokenHash) {
      const [row] = await sql<{ expire_time: Date }[]>`
        update email_confirmation set token_hash = ${tokenHash}, expire_time = now() + ${tokenMsMax} * interval '1 millisecond'
        where id = ${id} and use_time is null and expire_time > now()
          and create_time > now() - ${mailMsMax} * interval '1 millisecond'
        returning expire_time`;
      return row?.expire_time;
    },

    async sweep(signal) {
      for (let rows = sweepRowsMax; rows === sweepRowsMax && !signal.aborted; ) {
        const swept = await sql`
          delete from email_confirmation where id in (
            select id from email_confirmation where expire_time < now() - ${keptMs} * interval '1 millisecond'
            order by expire_time limit ${sweepRowsMax} for update skip locked)`;
        rows = swept.count;
      }
    },
  };
}

/** Writes a new confirmation. Whoever calls it holds the account's lock, or has just made the account. */
export async function insertConfirmation(
  tx: Transaction,
  { userId, email }: Pick<Confirmation, "userId" | "email">,
): Promise<{ readonly id: string; readonly time: Date }> {
  const id = uuidv7();
  const [row] = await tx<{ create_time: Date }[]>`
    insert into email_confirmation (id, account_id, email, create_time, expire_time)
    values (${id}, ${userId}, ${email}, clock_timestamp(), clock_timestamp() + ${mailMsMax} * interval '1 millisecond')
    returning create_time`;
  if (row === undefined) throw new Error("an insert returned no row");
  return { id, time: row.create_time };
}

/** Writes a new confirmation and tells who sends its mail. */
export async function wantConfirmation(
  tx: Transaction,
  o: Pick<Confirmation, "userId" | "email"> & { readonly traceparent: string },
): Promise<void> {
  const { id, time } = await insertConfirmation(tx, o);
  const { userId, traceparent } = o;
  await publish(tx, confirmationPublicationOf("EMAIL_CONFIRMATION_REQUESTED", { id, userId, time }, traceparent));
}

/** What a token of a mail is for; the account is locked with it. Undefined where there is none, it has expired, or the account is disabled. */
export async function lockConfirmation(
  tx: Transaction,
  tokenHash: Buffer,
): Promise<(Confirmation & { readonly id: string; readonly isUsed: boolean }) | undefined> {
  // The account before its confirmations, as by all who end them.
  const [account] = await tx<{ id: string }[]>`
    select id from account
    where id = (select account_id from email_confirmation where token_hash = ${tokenHash}) and disable_time is null
    for no key update`;
  if (account === undefined) return undefined;
  const [row] = await tx<{ id: string; email: string; is_used: boolean }[]>`
    select id, email, use_time is not null as is_used from email_confirmation
    where token_hash = ${tokenHash} and expire_time > now()`;
  return row && { id: row.id, userId: account.id, email: row.email, previousEmail: undefined, isUsed: row.is_used };
}

/** Spends a confirmation: the account's others are over with it. With the address that the account had before, where it has another now. */
export async function spendConfirmation(
  tx: Transaction,
  { id, userId }: { readonly id: string; readonly userId: string },
  previousEmail: string | undefined,
): Promise<void> {
  await tx`update email_confirmation set use_time = now(), previous_email = ${previousEmail ?? null} where id = ${id}`;
  await endConfirmations(tx, userId);
}

/**
 * Ends a change of address that waits, with its confirmations, when the password is replaced or the account disabled. Somebody who knew the password
 * before may have asked for it: the link in their mailbox would give them the account back. Whoever calls it holds the account's lock.
 */
export async function endAddressChange(tx: Transaction, userId: string): Promise<void> {
  await tx`update account set pending_email = null where id = ${userId} and pending_email is not null`;
  await tx`
    delete from email_confirmation using account
    where account.id = ${userId} and account_id = account.id and use_time is null
      and lower(email_confirmation.email) <> lower(account.email)`;
}

/** Ends an account's confirmations, whether their mail was sent or not; whoever calls it holds the account's lock. */
export async function endConfirmations(tx: Transaction, userId: string): Promise<void> {
  await tx`delete from email_confirmation where account_id = ${userId} and use_time is null`;
}
