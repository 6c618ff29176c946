import { importJWK, type JWK, SignJWT } from "jose";
import { serviceTokenSecondsMax, serviceTokenSecondsMin } from "./limits.ts";

/** Gives a service the tokens by which others know it. */
export interface ServiceTokens {
  /** A token for calls to one service. */
  for(audience: string): Promise<string>;
}

/** Signs a service's own tokens: short-lived, each for one audience, made again shortly before they expire. */
export function createServiceTokens(o: { readonly name: string; readonly privateKey: JWK }): ServiceTokens {
  const key = importJWK(o.privateKey, "EdDSA");
  key.catch(() => undefined); // Whoever asks for a token is told.
  const made = new Map<string, { readonly token: Promise<string>; readonly expires: number }>();

  const sign = async (audience: string, issued: number): Promise<string> =>
    new SignJWT({})
      .setProtectedHeader({ alg: "EdDSA", kid: o.name })
      .setIssuer(o.name)
      .setSubject(o.name)
      .setAudience(audience)
      .setIssuedAt(issued)
      .setExpirationTime(issued + serviceTokenSecondsMax)
      .sign(await key);

  return {
    for: (audience) => {
      const now = Math.floor(Date.now() / 1000);
      const last = made.get(audience);
      if (last !== undefined && last.expires - now > serviceTokenSecondsMin) return last.token;
      const token = sign(audience, now);
      made.set(audience, { token, expires: now + serviceTokenSecondsMax });
      token.catch(() => made.delete(audience));
      return token;
    },
  };
}
