import { importJWK, type JWK, SignJWT } from "jose";
import { serviceTokenSecondsMax, signedTokensMax } from "../limits.ts";
import { gatewayName } from "./caller.ts";
import { cacheSigned } from "./token-cache.ts";
import type { UserClaims } from "./token-verifier.ts";

/** The tokens by which a service identifies itself. */
export interface ServiceTokens {
  /** Returns a token for calls to one service. */
  for(audience: string): Promise<string>;
  /** The same without a wait; undefined where it has to be signed. Where it is left out, `for` is asked every time. */
  signed?(audience: string): string | undefined;
}

/** Signs a service's own tokens: short-lived, each for one audience, replaced shortly before they expire. */
export function createServiceTokens(o: { readonly name: string; readonly privateKey: JWK }): ServiceTokens {
  const key = importKey(o.privateKey);
  const cached = cacheSigned(signedTokensMax);

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
    for: (audience) => cached.token(audience, (issued) => sign(audience, issued)),
    signed: cached.signed,
  };
}

/**
 * The `typ` of a token that the gateway signs for a person. It keeps the token from being accepted as another kind (RFC
 * 8725, section 3.11).
 */
export const personTokenType = "rialto-person+jwt";

/** The tokens by which the gateway tells a service whose call it passes on. */
export interface PersonTokens {
  /** Returns a token that tells one service, for a minute at most, what the person's access token told the gateway. */
  for(person: UserClaims, audience: string): Promise<string>;
  /** The same without a wait; undefined where it has to be signed. Where it is left out, `for` is asked every time. */
  signed?(person: UserClaims, audience: string): string | undefined;
  /** The same as the value of an `Authorization` header. */
  signedBearer?(person: UserClaims, audience: string): string | undefined;
}

/**
 * Signs the token that the gateway passes on instead of an access token: the person as `sub`, the gateway as the actor
 * (`act`, RFC 8693, section 4.1), one service as audience. It lives as long as a service's token and is cached for the
 * person's next call. It may outlive the access token, which was valid when the gateway admitted the call.
 */
export function createPersonTokens(o: { readonly name: string; readonly privateKey: JWK }): PersonTokens {
  const key = importKey(o.privateKey);
  const cached = cacheSigned(signedTokensMax);

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
    for: (person, audience) => cached.token(contentOf(person, audience), (issued) => sign(person, audience, issued)),
    signed: (person, audience) => cached.signed(contentOf(person, audience)),
    signedBearer: (person, audience) => cached.signedBearer(contentOf(person, audience)),
  };
}

/** What a person's token says, as one text. No name of a service, role or claim has a line break in it. */
function contentOf({ userId, role, sessionId, emailConfirmed }: UserClaims, audience: string): string {
  return `${audience}\n${role}\n${emailConfirmed}\n${sessionId.length}\n${sessionId}${userId}`;
}

/** How every token begins that `createPersonTokens` signs for our gateway: its header, as jose writes it. */
const personTokenHeader = `${encodedHeader({ alg: "EdDSA", kid: gatewayName, typ: personTokenType })}.`;

function encodedHeader(header: object): string {
  return Buffer.from(JSON.stringify(header)).toString("base64url");
}

/** Whether a token's header says that a gateway signed it for a person. Verifies nothing. */
export function isPersonToken(token: string): boolean {
  if (token.startsWith(personTokenHeader)) return true;
  try {
    const header = Buffer.from(token.slice(0, token.indexOf(".")), "base64url");
    return JSON.parse(header.toString()).typ === personTokenType;
  } catch {
    return false;
  }
}

function importKey(privateKey: JWK) {
  const key = importJWK(privateKey, "EdDSA");
  key.catch(() => undefined); // `for` rejects with it.
  return key;
}
