import { decodeProtectedHeader, importJWK, type JWK, SignJWT } from "jose";
import { serviceTokenSecondsMax, signedTokensMax } from "../limits.ts";
import { rememberSigned } from "./token-cache.ts";
import type { UserClaims } from "./token-verifier.ts";

/** The `typ` of such a token, so that it is never taken for another kind (RFC 8725, 3.11). */
export const personTokenType = "rialto-person+jwt";

/** Gives the gateway the tokens by which it tells a service whose call it passes on. */
export interface PersonTokens {
  /** A token that says to one service, for a minute at the most, what the person's access token said to the gateway. */
  for(person: UserClaims, audience: string): Promise<string>;
}

/**
 * Signs what the gateway passes on instead of an access token: the person as `sub`, the gateway as the one that acts for them (`act`, RFC 8693,
 * 4.1), one service as audience. It lives as long as a service's token and is kept for the next call of the same person. It does not end with the access
 * token: that was good when the gateway let the call in.
 */
export function createPersonTokens(o: { readonly name: string; readonly privateKey: JWK }): PersonTokens {
  const key = importJWK(o.privateKey, "EdDSA");
  key.catch(() => undefined); // Whoever asks for a token is told.
  const remembered = rememberSigned(signedTokensMax);

  const sign = async (person: UserClaims, audience: string, issued: number): Promise<string> => {
    const { userId, role, sessionId, emailConfirmed } = person;
    const confirmed = emailConfirmed === undefined ? {} : { email_verified: emailConfirmed };
    return new SignJWT({ sid: sessionId, role, ...confirmed, act: { sub: o.name } })
      .setProtectedHeader({ alg: "EdDSA", kid: o.name, typ: personTokenType })
      .setIssuer(o.name)
      .setSubject(userId)
      .setAudience(audience)
      .setIssuedAt(issued)
      .setExpirationTime(issued + serviceTokenSecondsMax)
      .sign(await key);
  };

  return {
    for: (person, audience) => {
      const { userId, role, sessionId, emailConfirmed } = person;
      const what = JSON.stringify([audience, userId, role, sessionId, emailConfirmed]);
      return remembered(what, (issued) => sign(person, audience, issued));
    },
  };
}

/** Whether a token says of itself that a gateway made it for a person. That it holds is another question. */
export function isPersonToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === personTokenType;
  } catch {
    return false;
  }
}
