import type { Database, Transaction } from "@rialto/database";
import { publish } from "@rialto/events";
import { v7 as uuidv7 } from "uuid";
import { confirmationPublicationOf } from "../user/message.ts";

/** How long the link in a mail is valid. */
const tokenMsMax = 3 * 24 * 3_600_000;
/** How long after the request the mail may still be sent: the mail server may be down. */
const mailMsMax = 24 * 3_600_000;
/** How long an ended confirmation is kept: the mail to the previous address may be delayed like any other. */
const retentionMs = 7 * 24 * 3_600_000;
/** Further requests within this time after a mail was requested send no other mail. */
const coalesceMs = 5 * 60_000;
const sweepRowsMax = 500;

/** A request to confirm an e-mail address of an account, by a link that is sent to it. */
export interface Confirmation {
  readonly userId: string;
  readonly email: string;
  /** The address of the account before this one took effect. */
  readonly previousEmail: string | undefined;
}

/** Stores confirmations. All times are by the clock of Postgres. */
export interface ConfirmationStore {
  /**
   * Requests a mail and publishes the event for it. Does nothing if the account has nothing to confirm at this address
   * any more, or if a mail to it was just requested.
   */
  request(o: { readonly userId: string; readonly email: string; readonly traceparent: string }): Promise<void>;
  byId(id: string): Promise<Confirmation | undefined>;
  /**
   * Issues the token of a confirmation, in place of an earlier one. Returns its expiry; undefined if the confirmation
   * has ended.
   */
  issueToken(id: string, tokenHash: Buffer): Promise<Date | undefined>;
  /** Deletes confirmations past their retention, in batches. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** Opens the store. */
export function createConfirmationStore({ sql }: Pick<Database, "sql">): ConfirmationStore {
  return {
    async request({ userId, email, traceparent }) {
      await sql.begin(async (tx) => {
        // The lock waits for a concurrent change of the account and then sees its result. It also serializes concurrent
        // requests.
        const waiting = await tx`
          select 1 from account
          where id = ${userId} and disable_time is null
            and (lower(pending_email) = lower(${email}) or (email_confirm_time is null and lower(email) = lower(${email})))
          for no key update`;
        if (waiting.count === 0) return;
        const recent = await tx`
          select 1 from email_confirmation
          where account_id = ${userId} and lower(email) = lower(${email}) and use_time is null
            and create_time > clock_timestamp() - ${coalesceMs} * interval '1 millisecond' limit 1`;
        if (recent.count === 0) await requestConfirmation(tx, { userId, email, traceparent });
      });
    },

    async byId(id) {
      const [row] = await sql<{ account_id: string; email: string; previous_email: string | null }[]>`
        select account_id, email, previous_email from email_confirmation where id = ${id}`;
      return row && { userId: row.account_id, email: row.email, previousEmail: row.previous_email ?? undefined };
    },

    async issueToken(id, tokenHash) {
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
            select id from email_confirmation where expire_time < now() - ${retentionMs} * interval '1 millisecond'
            order by expire_time limit ${sweepRowsMax} for update skip locked)`;
        rows = swept.count;
      }
    },
  };
}

/** Inserts a confirmation. The caller holds the lock on the account, or has just created it. */
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

/** Inserts a confirmation and publishes the event for its mail. */
export async function requestConfirmation(
  tx: Transaction,
  o: Pick<Confirmation, "userId" | "email"> & { readonly traceparent: string },
): Promise<void> {
  const { id, time } = await insertConfirmation(tx, o);
  const { userId, traceparent } = o;
  await publish(tx, confirmationPublicationOf("EMAIL_CONFIRMATION_REQUESTED", { id, userId, time }, traceparent));
}

/**
 * Locks the account of a token and returns its confirmation; undefined if the token is unknown or expired, or the
 * account is disabled.
 */
export async function lockConfirmation(
  tx: Transaction,
  tokenHash: Buffer,
): Promise<(Confirmation & { readonly id: string; readonly isUsed: boolean }) | undefined> {
  // Locks the account before its confirmations, in the same order as everything that ends them.
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

/**
 * Redeems a confirmation and ends the account's other ones. Stores the previous address if the account has a new one.
 */
export async function redeemConfirmation(
  tx: Transaction,
  { id, userId }: { readonly id: string; readonly userId: string },
  previousEmail: string | undefined,
): Promise<void> {
  await tx`update email_confirmation set use_time = now(), previous_email = ${previousEmail ?? null} where id = ${id}`;
  await endConfirmations(tx, userId);
}

/**
 * Ends a pending change of address and its confirmations, when the password is replaced or the account is disabled.
 * Someone who knew the old password may have requested the change, and the link in their mailbox would return the
 * account to them. The caller holds the lock on the account.
 */
export async function endAddressChange(tx: Transaction, userId: string): Promise<void> {
  await tx`update account set pending_email = null where id = ${userId} and pending_email is not null`;
  await tx`
    delete from email_confirmation using account
    where account.id = ${userId} and account_id = account.id and use_time is null
      and lower(email_confirmation.email) <> lower(account.email)`;
}

/**
 * Ends an account's open confirmations, whether their mail was sent or not. The caller holds the lock on the account.
 */
export async function endConfirmations(tx: Transaction, userId: string): Promise<void> {
  await tx`delete from email_confirmation where account_id = ${userId} and use_time is null`;
}
