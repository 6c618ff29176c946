import type { Database, Transaction } from "@rialto/database";
import type { UserRole } from "../user/state.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import { judgeRefresh, refreshExpiry } from "./session.ts";
import type { SecretToken } from "./tokens.ts";

/** A session, and whose it is. */
export interface SessionHolder {
  readonly sessionId: string;
  readonly userId: string;
}

/**
 * Keeps sessions and the hashes of their refresh tokens. All times are of Postgres' clock: a session that a process with another clock had ended
 * would be missed by those who ask for what ended since they last asked.
 */
export interface SessionStore {
  /**
   * Opens a session with its first refresh token, for whoever has shown that they know the password of this hash. Answers the account's role as it is
   * then, or why none was opened: both may have changed since the hash was read.
   */
  open(holder: SessionHolder, o: { readonly passwordHash: string; readonly tokenHash: Buffer }): Promise<Opening>;
  /** Gives the next refresh token for one that is shown. Undefined where that one is refused, which may end its session. */
  spend(token: SecretToken): Promise<Spent | undefined>;
  /** Ends a session; to end it twice is to end it once. */
  end(sessionId: string): Promise<void>;
  /** Those that ended after a time and not longer ago than `withinMs`, in the order in which they did. */
  ended(o: {
    readonly since: Date | undefined;
    readonly withinMs: number;
    readonly after: EndedSession | undefined;
    readonly limit: number;
  }): Promise<readonly EndedSession[]>;
  /** Removes what nobody needs any more, a little at a time until there is none left: sessions that are over, and spent refresh tokens. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** What came of opening a session. */
export type Opening = { readonly role: UserRole; readonly now: Date } | "PASSWORD_CHANGED" | "DISABLED";

/** The session of a token that was spent, the next token, and when. */
export interface Spent extends SessionHolder {
  readonly next: string;
  readonly now: Date;
}

/** A session that has ended, and when. */
export interface EndedSession {
  readonly id: string;
  readonly time: Date;
}

/** Why all sessions of an account end at once. */
export type EndOfAll = "LOGOUT_ALL" | "PASSWORD_CHANGED" | "DISABLED" | "ROLE_CHANGED";

const sweepRowsMax = 500;
/** A session that has ended is kept for who looks into it; its access tokens are over long before. */
const endedHours = 24;
/** A spent token that is shown later than this is known by its signature. The grace for a lost answer is over long before. */
const spentHours = 1;

/** Opens the store: the SQL of sessions. */
export function createSessionStore({ sql }: Pick<Database, "sql">, tokens: RefreshTokens): SessionStore {
  return {
    async open({ sessionId, userId }, { passwordHash, tokenHash }) {
      return await sql.begin(async (tx) => {
        // The lock makes it wait for somebody who is changing the account, and see it as it is then.
        const [holder] = await tx<{ role: UserRole; isKnown: boolean; isDisabled: boolean; now: Date }[]>`
          select role, password_hash = ${passwordHash} as "isKnown", disable_time is not null as "isDisabled",
                 clock_timestamp() as now
          from account where id = ${userId} for share`;
        if (holder === undefined || !holder.isKnown) return "PASSWORD_CHANGED";
        if (holder.isDisabled) return "DISABLED";
        const { role, now } = holder;
        const expireTime = refreshExpiry(now, now);
        await tx`
          with opened as (
            insert into session (id, account_id, create_time, expire_time) values (${sessionId}, ${userId}, ${now}, ${expireTime}))
          insert into refresh_token (hash, session_id, create_time, expire_time, is_signed)
          values (${tokenHash}, ${sessionId}, ${now}, ${expireTime}, true)`;
        return { role, now };
      });
    },

    async spend(shown) {
      return await sql.begin(async (tx) => {
        const family = await lockFamily(tx, shown.hash);
        if (family === undefined) {
          // Spent so long ago that its row is gone: somebody holds a token of this family that they should not have.
          const sessionId = tokens.sessionOf(shown.token);
          if (sessionId !== undefined) await endReused(tx, sessionId);
          return undefined;
        }
        const { sessionId, userId, now } = family;
        switch (judgeRefresh(family)) {
          case "REFUSE":
            return undefined;
          case "REUSED":
            await endReused(tx, sessionId);
            return undefined;
          case "ROTATE":
          case "REPEAT": {
            const next = tokens.successorOf(shown.token, sessionId);
            await giveSuccessor(tx, {
              sessionId,
              tokenHash: shown.hash,
              nextHash: next.hash,
              now,
              expireTime: family.nextExpireTime,
            });
            return { sessionId, userId, next: next.token, now };
          }
        }
      });
    },

    async end(sessionId) {
      await sql`
        update session set end_time = clock_timestamp(), end_reason = 'LOGOUT' where id = ${sessionId} and end_time is null`;
    },

    async ended({ since, withinMs, after, limit }) {
      const rows = await sql<{ id: string; end_time: Date }[]>`
        select id, end_time from session
        where end_time > greatest(${since ?? null}::timestamptz, now() - ${withinMs} * interval '1 millisecond')
          ${after === undefined ? sql`` : sql`and (end_time, id) > (${after.time}, ${after.id})`}
        order by end_time, id limit ${limit}`;
      return rows.map(({ id, end_time }) => ({ id, time: end_time }));
    },

    async sweep(signal) {
      const sweeps = [
        () => sql`
          delete from session where id in (
            select id from session where expire_time < now() order by expire_time limit ${sweepRowsMax} for update skip locked)`,
        () => sql`
          delete from session where id in (
            select id from session where end_time < now() - ${endedHours} * interval '1 hour'
            order by end_time, id limit ${sweepRowsMax} for update skip locked)`,
        () => sql`
          delete from refresh_token where hash in (
            select hash from refresh_token where is_signed and spend_time < now() - ${spentHours} * interval '1 hour'
            order by spend_time limit ${sweepRowsMax} for update skip locked)`,
      ];
      for (const removeSome of sweeps) while (!signal.aborted && (await removeSome()).count === sweepRowsMax);
    },
  };
}

/** Ends the sessions of an account, but for one where there is one to keep. They are locked in the order of their ids. */
export async function endAllSessions(
  tx: Transaction,
  o: { readonly userId: string; readonly reason: EndOfAll; readonly butFor?: string },
): Promise<void> {
  await tx`
    with open as materialized (
      select id from session where account_id = ${o.userId} and end_time is null and id is distinct from ${o.butFor ?? null}
      order by id for update)
    update session set end_time = clock_timestamp(), end_reason = ${o.reason} where id in (select id from open)`;
}

async function endReused(tx: Transaction, sessionId: string): Promise<void> {
  await tx`
    update session set end_time = clock_timestamp(), end_reason = 'TOKEN_REUSED' where id = ${sessionId} and end_time is null`;
}

/**
 * Locks the session of a token, then reads the token: in this order, and in statements of their own, so that two who show tokens of
 * one family at the same moment are judged one after the other, the second by what the first has left.
 */
async function lockFamily(tx: Transaction, tokenHash: Buffer) {
  const [session] = await tx<{ id: string; account_id: string; create_time: Date; ended: boolean }[]>`
    select id, account_id, create_time, end_time is not null as ended from session
    where id = (select session_id from refresh_token where hash = ${tokenHash}) for update`;
  if (session === undefined) return undefined;
  const [token] = await tx<(TokenRow & { now: Date })[]>`
    select expire_time, spend_time, successor, clock_timestamp() as now from refresh_token where hash = ${tokenHash}`;
  if (token === undefined) return undefined;
  const [successor] = await tx<TokenRow[]>`
    select expire_time, spend_time, successor from refresh_token where hash = ${token.successor}`;
  const { now } = token;
  return {
    sessionId: session.id,
    userId: session.account_id,
    sessionEnded: session.ended,
    sessionCreateTime: session.create_time,
    token: tokenOf(token),
    successor: successor && tokenOf(successor),
    now,
    nextExpireTime: refreshExpiry(now, session.create_time),
  };
}

/** Spends a token for its successor; a second time changes nothing. A successor that version 0.1.0 gave for the token stays the first. */
async function giveSuccessor(
  tx: Transaction,
  o: {
    readonly sessionId: string;
    readonly tokenHash: Buffer;
    readonly nextHash: Buffer;
    readonly now: Date;
    readonly expireTime: Date;
  },
): Promise<void> {
  await tx`
    with made as (
      insert into refresh_token (hash, session_id, create_time, expire_time, is_signed)
      values (${o.nextHash}, ${o.sessionId}, ${o.now}, ${o.expireTime}, true)
      on conflict (hash) do nothing),
    extended as (update session set expire_time = ${o.expireTime} where id = ${o.sessionId})
    update refresh_token set spend_time = coalesce(spend_time, ${o.now}), successor = coalesce(successor, ${o.nextHash})
    where hash = ${o.tokenHash}`;
}

interface TokenRow {
  readonly expire_time: Date;
  readonly spend_time: Date | null;
  readonly successor: Buffer | null;
}

function tokenOf(row: TokenRow) {
  return { expireTime: row.expire_time, spendTime: row.spend_time ?? undefined };
}
