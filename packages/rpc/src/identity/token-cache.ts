import { serviceTokenSecondsMax, serviceTokenSecondsMin } from "../limits.ts";

/**
 * Keeps tokens that were signed, each under what it says, until they have not long to live, so that signing is rare. `sign` is given when the
 * token is made, in seconds since 1970, and signs for `serviceTokenSecondsMax` from then on. The oldest give way where there are more than `tokensMax`.
 */
export function rememberSigned(
  tokensMax: number,
): (what: string, sign: (issued: number) => Promise<string>) => Promise<string> {
  const made = new Map<string, { readonly token: Promise<string>; readonly expires: number }>();
  return (what, sign) => {
    const now = Math.floor(Date.now() / 1000);
    const last = made.get(what);
    if (last !== undefined && last.expires - now > serviceTokenSecondsMin) return last.token;
    const token = sign(now);
    made.delete(what);
    made.set(what, { token, expires: now + serviceTokenSecondsMax });
    token.catch(() => made.delete(what));
    for (const oldest of made.keys()) {
      if (made.size <= tokensMax) break;
      made.delete(oldest);
    }
    return token;
  };
}
