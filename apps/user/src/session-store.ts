import type { Database, Transaction } from "@rialto/database";
import { type Judgement, judgeRefresh, refreshExpiry } from "./session.ts";
import type { UserRole } from "./user.ts";

/** A session, and whose it is. */
export interface SessionHolder {
  readonly sessionId: string;
  readonly userId: string;
}

export interface SessionStore {
  /**
   * Opens a session with its first refresh token, for whoever has shown that they know the password of this hash. Answers the account's role as it is
   * then, or why none was opened: both may have changed since the hash was read.
   */
  open(
    holder: SessionHolder,
    o: { readonly passwordHash: string; readonly tokenHash: Buffer; readonly now: Date },
  ): Promise<Opening>;
  /** Gives the next refresh token for one that is shown. Undefined where that one is refused, which may end its session. */
  spend(o: Spending): Promise<SessionHolder | undefined>;
  /** Ends a session; to end it twice is to end it once. */
  end(sessionId: string, now: Date): Promise<void>;
  /** Those that ended after a time, in the order in which they did. */
  ended(o: {
    readonly since: Date;
    readonly after: EndedSession | undefined;
    readonly limit: number;
  }): Promise<readonly EndedSession[]>;
  /** Removes some of the sessions whose last refresh token has expired. */
  sweep(now: Date): Promise<void>;
}

/** What came of opening a session. */
export type Opening = { readonly role: UserRole } | "PASSWORD_CHANGED" | "DISABLED";

/** A session that has ended, and when. */
export interface EndedSession {
  readonly id: string;
  readonly time: Date;
}

/** Why all sessions of an account end at once. */
export type EndOfAll = "LOGOUT_ALL" | "PASSWORD_CHANGED" | "DISABLED" | "ROLE_CHANGED";

interface Spending {
  readonly tokenHash: Buffer;
  readonly nextHash: Buffer;
  readonly now: Date;
}

const sweepRowsMax = 500;

/** Opens the store: the SQL of sessions. */
export function createSessionStore({ sql }: Pick<Database, "sql">): SessionStore {
  return {
    async open({ sessionId, userId }, { passwordHash, tokenHash, now }) {
      const expireTime = refreshExpiry(now);
      // The lock makes it wait for somebody who is changing the account, and see it as it is then.
      const [holder] = await sql<{ role: UserRole; isKnown: boolean; isDisabled: boolean }[]>`
        with holder as materialized (
          select id, role, password_hash = ${passwordHash} as is_known, disable_time is not null as is_disabled
          from account where id = ${userId} for share),
        opened as (
          insert into session (id, account_id, create_time, expire_time)
          select ${sessionId}::uuid, id, ${now}::timestamptz, ${expireTime}::timestamptz from holder where is_known and not is_disabled),
        first_token as (
          insert into refresh_token (hash, session_id, create_time, expire_time)
          select ${tokenHash}::bytea, ${sessionId}::uuid, ${now}::timestamptz, ${expireTime}::timestamptz
          from holder where is_known and not is_disabled)
        select role, is_known as "isKnown", is_disabled as "isDisabled" from holder`;
      if (holder === undefined || !holder.isKnown) return "PASSWORD_CHANGED";
      return holder.isDisabled ? "DISABLED" : { role: holder.role };
    },

    async spend(o) {
      return await sql.begin(async (tx) => {
        const family = await lockFamily(tx, o.tokenHash);
        if (family === undefined) return undefined;
        const judgement = judgeRefresh({ ...family, now: o.now });
        await carryOut(tx, judgement, { ...o, sessionId: family.holder.sessionId });
        return judgement === "ROTATE" || judgement === "REPEAT" ? family.holder : undefined;
      });
    },

    async end(sessionId, now) {
      await sql`update session set end_time = ${now}, end_reason = 'LOGOUT' where id = ${sessionId} and end_time is null`;
    },

    async ended({ since, after, limit }) {
      const rows = await sql<{ id: string; end_time: Date }[]>`
        select id, end_time from session
        where end_time > ${since} ${after === undefined ? sql`` : sql`and (end_time, id) > (${after.time}, ${after.id})`}
        order by end_time, id limit ${limit}`;
      return rows.map(({ id, end_time }) => ({ id, time: end_time }));
    },

    async sweep(now) {
      await sql`
        delete from session where id in (
          select id from session where expire_time < ${now} order by expire_time limit ${sweepRowsMax} for update skip locked)`;
    },
  };
}

/** Ends the sessions of an account, but for one where there is one to keep. They are locked in the order of their ids. */
export async function endAllSessions(
  tx: Transaction,
  o: { readonly userId: string; readonly reason: EndOfAll; readonly now: Date; readonly butFor?: string },
): Promise<void> {
  await tx`
    with open as materialized (
      select id from session where account_id = ${o.userId} and end_time is null and id is distinct from ${o.butFor ?? null}
      order by id for update)
    update session set end_time = ${o.now}, end_reason = ${o.reason} where id in (select id from open)`;
}

/**
 * Locks the session of a token, then reads the token: in this order, and in statements of their own, so that two who show tokens of
 * one family at the same moment are judged one after the other, the second by what the first has left.
 */
async function lockFamily(tx: Transaction, tokenHash: Buffer) {
  const [session] = await tx<{ id: string; account_id: string; ended: boolean }[]>`
    select id, account_id, end_time is not null as ended from session
    where id = (select session_id from refresh_token where hash = ${tokenHash}) for update`;
  if (session === undefined) return undefined;
  const [token] = await tx<
    TokenRow[]
  >`select expire_time, spend_time, successor from refresh_token where hash = ${tokenHash}`;
  if (token === undefined) return undefined;
  const [successor] = await tx<TokenRow[]>`
    select expire_time, spend_time, successor from refresh_token where hash = ${token.successor}`;
  return {
    holder: { sessionId: session.id, userId: session.account_id },
    sessionEnded: session.ended,
    token: tokenOf(token),
    successor: successor && tokenOf(successor),
  };
}

async function carryOut(
  tx: Transaction,
  judgement: Judgement,
  { sessionId, tokenHash, nextHash, now }: Spending & { readonly sessionId: string },
): Promise<void> {
  if (judgement === "REFUSE") return;
  if (judgement === "REUSED") {
    await tx`update session set end_time = ${now}, end_reason = 'TOKEN_REUSED' where id = ${sessionId}`;
    return;
  }
  const expireTime = refreshExpiry(now);
  await tx`
    with made as (
      insert into refresh_token (hash, session_id, create_time, expire_time) values (${nextHash}, ${sessionId}, ${now}, ${expireTime})),
    extended as (update session set expire_time = ${expireTime} where id = ${sessionId})
    update refresh_token set spend_time = coalesce(spend_time, ${now}), successor = coalesce(successor, ${nextHash}) where hash = ${tokenHash}`;
}

interface TokenRow {
  readonly expire_time: Date;
  readonly spend_time: Date | null;
  readonly successor: Buffer | null;
}

function tokenOf(row: TokenRow) {
  return { expireTime: row.expire_time, spendTime: row.spend_time ?? undefined };
}
