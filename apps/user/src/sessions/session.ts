/** How long a refresh token is good for. Each refresh gives a new one, so a session that is used goes on until its own end. */
const refreshTokenDaysMax = 30;

/** How long a session lives at most, however often it is refreshed: then its owner shows the password again. */
const sessionDaysMax = 90;

const dayMs = 24 * 3_600_000;

/** How long a spent token is taken once more: an answer was lost, or a second tab asked with the same token. */
const repeatMsMax = 10_000;

/** A refresh token as it is stored. */
export interface RefreshToken {
  readonly expireTime: Date;
  /** When it was given back for the next one. */
  readonly spendTime: Date | undefined;
}

/**
 * What becomes of a refresh token that is shown to us.
 *
 *     unspent                                               ROTATE: it is spent for its successor
 *     spent just now, and nobody has used its successor     REPEAT: the same successor is given again
 *     spent otherwise                                       REUSED: two hold the family's tokens, so the session ends
 *     expired, or of a session that has ended               REFUSE
 *
 * A token has one successor (refresh-tokens.ts), so a family is one line, however often and by whom a token is shown: of two who hold it, the
 * one who comes later than the other's next refresh is found.
 */
export type Judgement = "ROTATE" | "REPEAT" | "REUSED" | "REFUSE";

export function judgeRefresh(o: {
  readonly sessionEnded: boolean;
  readonly sessionCreateTime: Date;
  readonly token: RefreshToken;
  /** The token that was given for this one. */
  readonly successor: RefreshToken | undefined;
  readonly now: Date;
}): Judgement {
  const { token, successor, now } = o;
  if (o.sessionEnded || token.expireTime <= now || sessionEnd(o.sessionCreateTime) <= now) return "REFUSE";
  if (token.spendTime === undefined) return "ROTATE";
  const justNow = now.getTime() - token.spendTime.getTime() < repeatMsMax;
  return justNow && successor !== undefined && successor.spendTime === undefined ? "REPEAT" : "REUSED";
}

/** When a refresh token that is made now ends: in a month, and never after its session. */
export function refreshExpiry(now: Date, sessionCreateTime: Date): Date {
  return new Date(Math.min(+now + refreshTokenDaysMax * dayMs, +sessionEnd(sessionCreateTime)));
}

function sessionEnd(createTime: Date): Date {
  return new Date(+createTime + sessionDaysMax * dayMs);
}
