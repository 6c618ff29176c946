/** How long a refresh token is good for. Each refresh gives a new one, so a session that is used does not end by itself. */
const refreshTokenDaysMax = 30;

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
 *     unspent                                                      ROTATE: it is spent for a new one
 *     spent just now, and nobody has used its direct successor     REPEAT: a further one, beside that successor
 *     spent otherwise                                              REUSED: two hold the family's tokens, so the session ends
 *     expired, or of a session that has ended                      REFUSE
 *
 * After a repeat both successors are good: of two tabs that asked at once, neither knows which of the answers the other has kept.
 */
export type Judgement = "ROTATE" | "REPEAT" | "REUSED" | "REFUSE";

export function judgeRefresh(o: {
  readonly sessionEnded: boolean;
  readonly token: RefreshToken;
  /** The token that was given for this one. */
  readonly successor: RefreshToken | undefined;
  readonly now: Date;
}): Judgement {
  const { token, successor, now } = o;
  if (o.sessionEnded || token.expireTime <= now) return "REFUSE";
  if (token.spendTime === undefined) return "ROTATE";
  const justNow = now.getTime() - token.spendTime.getTime() < repeatMsMax;
  return justNow && successor !== undefined && successor.spendTime === undefined ? "REPEAT" : "REUSED";
}

/** When a refresh token that is made now ends. */
export function refreshExpiry(now: Date): Date {
  return new Date(now.getTime() + refreshTokenDaysMax * 24 * 3_600_000);
}
