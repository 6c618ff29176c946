import { createHash } from "node:crypto";
import { verifiedTokensMax } from "../limits.ts";
import type { KeySet } from "./key-set.ts";

/** What a token that held says, and until when (milliseconds since 1970). */
export interface Verified<T> {
  readonly claims: T;
  readonly expires: number;
}

/**
 * Remembers what was verified, by the token's hash, until it expires or the keys change: what a key said that was taken out since is worth nothing.
 * Only a signature is remembered here: whether the session still lives is another question. What did not hold is asked again each time, so nobody
 * can fill the memory with rubbish; the oldest entries give way when it is full.
 */
export function rememberVerified<T>(
  verify: (token: string, audience: string) => Promise<Verified<T>>,
  keys: Pick<KeySet, "version">,
): (token: string, audience: string) => Promise<T> {
  const known = new Map<string, Verified<T>>();
  let knownUnder = "";
  return async (token, audience) => {
    // Where there are no keys yet, verifying says so.
    const version = await keys.version().catch(() => "");
    if (version !== knownUnder) known.clear();
    knownUnder = version;
    const key = createHash("sha256").update(audience).update("\0").update(token).digest("base64");
    const seen = known.get(key);
    if (seen !== undefined && seen.expires > Date.now()) return seen.claims;
    const verified = await verify(token, audience);
    // The keys may have changed while it was verified: it is not known by which.
    if (knownUnder !== version) return verified.claims;
    known.delete(key);
    known.set(key, verified);
    for (const oldest of known.keys()) {
      if (known.size <= verifiedTokensMax) break;
      known.delete(oldest);
    }
    return verified.claims;
  };
}
