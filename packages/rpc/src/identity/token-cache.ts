import { hash } from "node:crypto";
import { serviceTokenSecondsMax, serviceTokenSecondsMin, verifiedTokensMax } from "../limits.ts";
import type { KeySet } from "./key-set.ts";

/**
 * Caches signed tokens under what they say, so that signing is rare, until they have less than `serviceTokenSecondsMin`
 * to live. `sign` gets the time of issue, in seconds since 1970, and signs for `serviceTokenSecondsMax`. The oldest
 * tokens are dropped where there are more than `tokensMax`.
 */
export function cacheSigned(
  tokensMax: number,
): (content: string, sign: (issued: number) => Promise<string>) => Promise<string> {
  const cached = new Map<string, { readonly token: Promise<string>; readonly expires: number }>();
  return (content, sign) => {
    const now = Math.floor(Date.now() / 1000);
    const last = cached.get(content);
    if (last !== undefined && last.expires - now > serviceTokenSecondsMin) return last.token;
    const token = sign(now);
    cached.delete(content);
    cached.set(content, { token, expires: now + serviceTokenSecondsMax });
    token.catch(() => cached.delete(content));
    dropOldest(cached, tokensMax);
    return token;
  };
}

/** The claims of a verified token, and when it expires, in milliseconds since 1970. */
export interface Verified<T> {
  readonly claims: T;
  readonly expires: number;
}

/**
 * Caches verified tokens by their hash until they expire or the keys change: a token that a removed key signed must not
 * stay valid. Only the signature is cached, not whether the session is active. A token that is refused is not cached,
 * so invalid tokens cannot fill the cache. The oldest entries are dropped where it is full.
 */
export function cacheVerified<T>(
  verify: (token: string, audience: string) => Promise<Verified<T>>,
  keys: Pick<KeySet, "version">,
): (token: string, audience: string) => Promise<T> {
  const cached = new Map<string, Verified<T>>();
  let cachedVersion = "";
  return async (token, audience) => {
    // Without keys, `verify` throws.
    const version = await keys.version().catch(() => "");
    if (version !== cachedVersion) cached.clear();
    cachedVersion = version;
    const key = hash("sha256", `${audience}\0${token}`, "base64");
    const seen = cached.get(key);
    if (seen !== undefined && seen.expires > Date.now()) return seen.claims;
    const verified = await verify(token, audience);
    // The keys changed meanwhile: it is unknown which ones verified the token.
    if (cachedVersion !== version) return verified.claims;
    cached.delete(key);
    cached.set(key, verified);
    dropOldest(cached, verifiedTokensMax);
    return verified.claims;
  };
}

/** A map keeps its keys in the order in which they were set. */
function dropOldest(entries: Map<string, unknown>, entriesMax: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= entriesMax) return;
    entries.delete(oldest);
  }
}
