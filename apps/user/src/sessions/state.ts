/**
 * How long a refresh token is valid. Each refresh issues a new one, so a session that is used continues until its own
 * end.
 */
const refreshTokenDaysMax = 30;

/** The maximum lifetime of a session, however often it is refreshed. After that, the user signs in again. */
const sessionDaysMax = 90;

const dayMs = 24 * 3_600_000;

/** How long a redeemed token is accepted again: the answer was lost, or a second tab used the same token. */
const repeatMsMax = 10_000;

/** A stored refresh token. */
export interface RefreshToken {
  readonly expireTime: Date;
  /** When it was redeemed for its successor. */
  readonly spendTime: Date | undefined;
}

/**
 * The decision about a refresh token that is presented.
 *
 *     not redeemed                                      ROTATE: it is redeemed for its successor
 *     just redeemed, and its successor is unused        REPEAT: the same successor is issued again
 *     redeemed otherwise                                REUSED: two clients have tokens of it, so the session ends
 *     expired, or of a session that has ended           REFUSE
 *
 * A token has one successor (refresh-tokens.ts), so a family is a chain, however often a token is presented. If two
 * clients use the same token, the one that comes after the other's next refresh is detected.
 */
export type RefreshDecision = "ROTATE" | "REPEAT" | "REUSED" | "REFUSE";

export function decideRefresh(o: {
  readonly sessionEnded: boolean;
  readonly sessionCreateTime: Date;
  readonly token: RefreshToken;
  /** The token that was issued for this one. */
  readonly successor: RefreshToken | undefined;
  readonly now: Date;
}): RefreshDecision {
  const { token, successor, now } = o;
  if (o.sessionEnded || token.expireTime <= now || sessionEnd(o.sessionCreateTime) <= now) return "REFUSE";
  if (token.spendTime === undefined) return "ROTATE";
  const justNow = now.getTime() - token.spendTime.getTime() < repeatMsMax;
  return justNow && successor !== undefined && successor.spendTime === undefined ? "REPEAT" : "REUSED";
}

/** The expiry of a refresh token that is created now: in a month, and not after the end of its session. */
export function refreshExpiry(now: Date, sessionCreateTime: Date): Date {
  return new Date(Math.min(+now + refreshTokenDaysMax * dayMs, +sessionEnd(sessionCreateTime)));
}

function sessionEnd(createTime: Date): Date {
  return new Date(+createTime + sessionDaysMax * dayMs);
}
