import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { parse, stringify } from "uuid";
import { hashOf, type SecretToken } from "./tokens.ts";

const sessionBytes = 16;
const seedBytes = 16;
const macBytes = 32;

/**
 * Creates refresh tokens and recognizes its own. A token is base64url of the session id, a seed, and an HMAC over both.
 * The seed of a session's first token is random, and each further seed is derived from the token before. A token that
 * is presented twice therefore has one successor, which only this service can compute although only its hash is stored.
 * A token is recognized without a row of its own.
 */
export interface RefreshTokens {
  first(sessionId: string): SecretToken;
  /** The only successor of a token in its session. */
  successorOf(token: string, sessionId: string): SecretToken;
  /** The session of a token; undefined if the token was not created with this key: by version 0.1.0, or forged. */
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
      // Base64 has several encodings of the same bytes; only the canonical one is valid.
      if (bytes.length !== sessionBytes + seedBytes + macBytes || bytes.toString("base64url") !== token)
        return undefined;
      const body = bytes.subarray(0, sessionBytes + seedBytes);
      if (!timingSafeEqual(macOf("refresh token", body), bytes.subarray(body.length))) return undefined;
      return stringify(bytes.subarray(0, sessionBytes));
    },
  };
}
