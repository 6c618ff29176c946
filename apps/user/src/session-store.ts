import type { Database, Transaction } from "@rialto/database";
import { type Judgement, judgeRefresh, refreshExpiry } from "./session.ts";

/** A session, and whose it is. */
export interface SessionHolder {
  readonly sessionId: string;
  readonly userId: string;
}

export interface SessionStore {
  /** Opens a session with its first refresh token. */
  open(holder: SessionHolder, o: { readonly tokenHash: Buffer; readonly now: Date }): Promise<void>;
  /** Gives the next refresh token for one that is shown. Undefined where that one is refused, which may end its session. */
  spend(o: Spending): Promise<SessionHolder | undefined>;
  /** Ends a session; to end it twice is to end it once. */
  end(sessionId: string, now: Date): Promise<void>;
  /** Removes some of the sessions whose last refresh token has expired. */
  sweep(now: Date): Promise<void>;
}

interface Spending {
  readonly tokenHash: Buffer;
  readonly nextHash: Buffer;
  readonly now: Date;
}

const sweepRowsMax = 500;

/** Opens the store: the SQL of sessions. */
export function createSessionStore({ sql }: Pick<Database, "sql">): SessionStore {
  return {
    async open({ sessionId, userId }, { tokenHash, now }) {
      const expireTime = refreshExpiry(now);
      await sql`
        with opened as (
          insert into session (id, account_id, create_time, expire_time) values (${sessionId}, ${userId}, ${now}, ${expireTime}))
        insert into refresh_token (hash, session_id, create_time, expire_time)
        values (${tokenHash}, ${sessionId}, ${now}, ${expireTime})`;
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

    async sweep(now) {
      await sql`
        delete from session where id in (
          select id from session where expire_time < ${now} order by expire_time limit ${sweepRowsMax} for update skip locked)`;
    },
  };
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
