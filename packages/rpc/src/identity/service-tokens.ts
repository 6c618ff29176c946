import { importJWK, type JWK, SignJWT } from "jose";
import { serviceTokenSecondsMax, signedTokensMax } from "../limits.ts";
import { rememberSigned } from "./token-cache.ts";

/** Gives a service the tokens by which others know it. */
export interface ServiceTokens {
  /** A token for calls to one service. */
  for(audience: string): Promise<string>;
}

/** Signs a service's own tokens: short-lived, each for one audience, made again shortly before they expire. */
export function createServiceTokens(o: { readonly name: string; readonly privateKey: JWK }): ServiceTokens {
  const key = importJWK(o.privateKey, "EdDSA");
  key.catch(() => undefined); // Whoever asks for a token is told.
  const remembered = rememberSigned(signedTokensMax);

  const sign = async (audience: string, issued: number): Promise<string> =>
    new SignJWT({})
      .setProtectedHeader({ alg: "EdDSA", kid: o.name })
      .setIssuer(o.name)
      .setSubject(o.name)
      .setAudience(audience)
      .setIssuedAt(issued)
      .setExpirationTime(issued + serviceTokenSecondsMax)
      .sign(await key);

  return { for: (audience) => remembered(audience, (issued) => sign(audience, issued)) };
}
