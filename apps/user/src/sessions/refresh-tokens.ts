import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { parse, stringify } from "uuid";
import { hashOf, type SecretToken } from "./tokens.ts";

const sessionBytes = 16;
const seedBytes = 16;
const macBytes = 32;

/**
 * Makes refresh tokens, and knows its own. A token is base64url of session id, seed and an HMAC over both. The seed of a session's first token is
 * random, that of each next one follows from the token before: so a token that is shown twice leads to one successor, which nobody else can
 * work out, and of which only the hash is stored. A token that was made here is known as such without a row of its own.
 */
export interface RefreshTokens {
  first(sessionId: string): SecretToken;
  /** The one token that is given for this one, in its session. */
  successorOf(token: string, sessionId: string): SecretToken;
  /** The session that a token was made for; undefined where it was not made with this key (by version 0.1.0, by somebody else). */
  sessionOf(token: string): string | undefined;
}

export function createRefreshTokens(key: string): RefreshTokens {
  const macOf = (purpose: string, bytes: Buffer | string) =>
    createHmac("sha256", key).update(purpose).update("\0").update(bytes).digest();
  const tokenOf = (sessionId: string, seed: Buffer): SecretToken => {
    const body = Buffer.concat([parse(sessionId), seed]);
    const token = Buffer.concat([body, macOf("refresh token", body)]).toString("base64url");
    return { token, hash: hashOf(token) };
  };
  return {
    first: (sessionId) => tokenOf(sessionId, randomBytes(seedBytes)),
    successorOf: (token, sessionId) => tokenOf(sessionId, macOf("successor", token).subarray(0, seedBytes)),
    sessionOf(token) {
      const bytes = Buffer.from(token, "base64url");
      // Base64 has more than one spelling of the same bytes; one of them is ours.
      if (bytes.length !== sessionBytes + seedBytes + macBytes || bytes.toString("base64url") !== token)
        return undefined;
      const body = bytes.subarray(0, sessionBytes + seedBytes);
      if (!timingSafeEqual(macOf("refresh token", body), bytes.subarray(body.length))) return undefined;
      return stringify(bytes.subarray(0, sessionBytes));
    },
  };
}
