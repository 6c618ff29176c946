import { aboveAll, type Database, type Transaction } from "@rialto/database";
import type { UserRole } from "../user/state.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import { decideRefresh, refreshExpiry } from "./state.ts";
import type { SecretToken } from "./tokens.ts";

/** A session and its user. */
export interface SessionHolder {
  readonly sessionId: string;
  readonly userId: string;
}

/**
 * Stores sessions and the hashes of their refresh tokens. All times are by the clock of Postgres: with a process's own
 * clock, a poll for newly ended sessions could miss one.
 */
export interface SessionStore {
  /**
   * Opens a session with its first refresh token after a login with the password of this hash. Returns the current role
   * of the account, or why no session was opened: both may have changed since the hash was read.
   */
  open(holder: SessionHolder, o: { readonly passwordHash: string; readonly tokenHash: Buffer }): Promise<OpenResult>;
  /** Redeems a refresh token for the next one. Returns undefined if the token is refused, which can end its session. */
  redeem(token: SecretToken): Promise<Redeemed | undefined>;
  /** Ends a session. Idempotent. */
  end(sessionId: string): Promise<void>;
  /** Lists sessions that ended after `since` and within the last `withinMs`, in the order of their end. */
  ended(o: {
    readonly since: Date | undefined;
    readonly withinMs: number;
    readonly after: EndedSession | undefined;
    readonly limit: number;
  }): Promise<readonly EndedSession[]>;
  /** Deletes expired and ended sessions and redeemed refresh tokens, in batches, until none is left. */
  sweep(signal: AbortSignal): Promise<void>;
}

/** The result of opening a session. */
export type OpenResult = { readonly role: UserRole; readonly now: Date } | "PASSWORD_CHANGED" | "DISABLED";

/** The session of a redeemed token, its successor, and the time. */
export interface Redeemed extends SessionHolder {
  readonly next: string;
  readonly now: Date;
}

/** An ended session and the time of its end. */
export interface EndedSession {
  readonly id: string;
  readonly time: Date;
}

/** Why all sessions of an account end. */
export type EndAllReason = "LOGOUT_ALL" | "PASSWORD_CHANGED" | "DISABLED" | "ROLE_CHANGED";

const sweepRowsMax = 500;
/** How long an ended session is kept for support. Its access tokens expire long before. */
const endedHours = 24;
/**
 * How long the row of a redeemed token is kept. Later, the token is recognized by its signature. The grace period for a
 * lost answer is much shorter.
 */
const redeemedHours = 1;

/** Opens the store. */
export function createSessionStore({ sql }: Pick<Database, "sql">, tokens: RefreshTokens): SessionStore {
  return {
    async open({ sessionId, userId }, { passwordHash, tokenHash }) {
      return await sql.begin(async (tx) => {
        // The lock waits for a concurrent change of the account and then sees its result.
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

    async redeem(presented) {
      return await sql.begin(async (tx) => {
        const family = await lockFamily(tx, presented.hash);
        if (family === undefined) {
          // Redeemed so long ago that its row is gone: the token was stolen or leaked.
          const sessionId = tokens.sessionOf(presented.token);
          if (sessionId !== undefined) await endReused(tx, sessionId);
          return undefined;
        }
        const { sessionId, userId, now } = family;
        switch (decideRefresh(family)) {
          case "REFUSE":
            return undefined;
          case "REUSED":
            await endReused(tx, sessionId);
            return undefined;
          case "ROTATE":
          case "REPEAT": {
            const next = tokens.successorOf(presented.token, sessionId);
            await storeSuccessor(tx, {
              sessionId,
              tokenHash: presented.hash,
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
      // One bound, not two: of two the index begins at either, and a deep page would read all pages before it.
      const rows = await sql<{ id: string; end_time: Date }[]>`
        select id, end_time from session
        where end_time is not null and (end_time, id) > (greatest(${since ?? null}::timestamptz, ${after?.time ?? null}::timestamptz,
          now() - ${withinMs} * interval '1 millisecond'), ${after?.id ?? aboveAll})
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
            select hash from refresh_token where is_signed and spend_time < now() - ${redeemedHours} * interval '1 hour'
            order by spend_time limit ${sweepRowsMax} for update skip locked)`,
      ];
      for (const removeSome of sweeps) while (!signal.aborted && (await removeSome()).count === sweepRowsMax);
    },
  };
}

/** Ends the sessions of an account, except `except`. Locks them in the order of their ids. */
export async function endAllSessions(
  tx: Transaction,
  o: { readonly userId: string; readonly reason: EndAllReason; readonly except?: string },
): Promise<void> {
  await tx`
    with open as materialized (
      select id from session where account_id = ${o.userId} and end_time is null and id is distinct from ${o.except ?? null}
      order by id for update)
    update session set end_time = clock_timestamp(), end_reason = ${o.reason} where id in (select id from open)`;
}

async function endReused(tx: Transaction, sessionId: string): Promise<void> {
  await tx`
    update session set end_time = clock_timestamp(), end_reason = 'TOKEN_REUSED' where id = ${sessionId} and end_time is null`;
}

/**
 * Locks the session of a token, then reads the token, in separate statements. Concurrent refreshes of one family are
 * thereby decided one after the other, each by the result of the one before.
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

/**
 * Redeems a token for its successor. Idempotent. A successor that version 0.1.0 issued for the token remains its
 * successor.
 */
async function storeSuccessor(
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
