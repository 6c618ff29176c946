import { serviceTokenSecondsMax, serviceTokenSecondsMin, verifiedTokensMax } from "../limits.ts";
import type { KeySet } from "./key-set.ts";

/** Signed tokens, by what they say. */
export interface SignedTokens {
  /**
   * Returns the token for this content. Where there is none that lives long enough, `sign` makes one: it gets the time
   * of issue, in seconds since 1970, and signs for `serviceTokenSecondsMax`.
   */
  token(content: string, sign: (issued: number) => Promise<string>): Promise<string>;
  /** Returns it at once where it was signed before; undefined where it has to be signed. */
  signed(content: string): string | undefined;
  /** The same as the value of an `Authorization` header: always the same text, until another token takes its place. */
  signedBearer(content: string): string | undefined;
}

interface Signed {
  readonly promise: Promise<string>;
  /** Undefined while it is signed. */
  token: string | undefined;
  bearer: string | undefined;
  readonly expires: number;
}

/**
 * Caches signed tokens under what they say, so that signing is rare, until they have less than `serviceTokenSecondsMin`
 * to live. The oldest tokens are dropped where there are more than `tokensMax`.
 */
export function cacheSigned(tokensMax: number): SignedTokens {
  const cached = new Map<string, Signed>();
  const current = (content: string): Signed | undefined => {
    const last = cached.get(content);
    return last !== undefined && last.expires - Date.now() / 1000 > serviceTokenSecondsMin ? last : undefined;
  };
  return {
    signed: (content) => current(content)?.token,
    signedBearer: (content) => current(content)?.bearer,
    token(content, sign) {
      const last = current(content);
      if (last !== undefined) return last.promise;
      const now = Math.floor(Date.now() / 1000);
      const made: Signed = {
        promise: sign(now),
        token: undefined,
        bearer: undefined,
        expires: now + serviceTokenSecondsMax,
      };
      cached.delete(content);
      cached.set(content, made);
      made.promise.then(
        (token) => {
          made.token = token;
          made.bearer = `Bearer ${token}`;
        },
        () => cached.delete(content),
      );
      dropOldest(cached, tokensMax);
      return made.promise;
    },
  };
}

/** The claims of a verified token, and when it expires, in milliseconds since 1970. */
export interface Verified<T> {
  readonly claims: T;
  readonly expires: number;
}

/** Verified tokens. */
export interface VerifiedTokens<T> {
  /** Returns the claims of a token. Rejects as `verify` does. */
  claims(token: string, audience: string): Promise<T>;
  /** Returns them at once where the token was verified before; undefined where it has to be verified. */
  seen(token: string, audience: string): T | undefined;
}

interface Seen<T> extends Verified<T> {
  readonly audience: string;
}

/**
 * Caches verified tokens until they expire or the keys change: a token that a removed key signed must not stay valid.
 * Only the signature is cached, not whether the session is active. A token that is refused is not cached, so invalid
 * tokens cannot fill the cache. The oldest entries are dropped where it is full. The token's own text is the key: its
 * digest would cost more than all else that is done for a token seen before.
 */
export function cacheVerified<T>(
  verify: (token: string, audience: string) => Promise<Verified<T>>,
  keys: Pick<KeySet, "version" | "knownVersion">,
): VerifiedTokens<T> {
  const cached = new Map<string, Seen<T>>();
  let cachedVersion = "";

  /** Returns the claims that these keys verified before. */
  function seenUnder(version: string, token: string, audience: string): T | undefined {
    if (version !== cachedVersion) cached.clear();
    cachedVersion = version;
    const entry = cached.get(token);
    return entry !== undefined && entry.audience === audience && entry.expires > Date.now() ? entry.claims : undefined;
  }

  return {
    seen(token, audience) {
      const version = keys.knownVersion();
      return version === undefined ? undefined : seenUnder(version, token, audience);
    },
    async claims(token, audience) {
      // Without keys, `verify` throws.
      const version = await keys.version().catch(() => "");
      const seen = seenUnder(version, token, audience);
      if (seen !== undefined) return seen;
      const { claims, expires } = await verify(token, audience);
      // The keys changed meanwhile: it is unknown which ones verified the token.
      if (cachedVersion !== version) return claims;
      cached.delete(token);
      cached.set(token, { claims, expires, audience });
      dropOldest(cached, verifiedTokensMax);
      return claims;
    },
  };
}

/** A map keeps its keys in the order in which they were set. */
function dropOldest(entries: Map<string, unknown>, entriesMax: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= entriesMax) return;
    entries.delete(oldest);
  }
}
