import { errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { accessTokenSecondsMax, clockSkewSecondsMax, issuerSkewSecondsMax, serviceTokenSecondsMax } from "../limits.ts";
import { gatewayName, type UserId } from "./caller.ts";
import { createKeySet, fixedKeySet, type KeyFinder } from "./key-set.ts";
import type { Revocations } from "./revocations.ts";
import { isPersonToken, personTokenType } from "./signed-tokens.ts";
import { cacheVerified, type Verified } from "./token-cache.ts";

/** The claims of a token for a person. */
export interface UserClaims {
  readonly userId: UserId;
  readonly role: "CUSTOMER" | "ADMIN";
  readonly sessionId: string;
  /**
   * Whether the account's e-mail address was confirmed when the token was issued; undefined where the token has no such
   * claim.
   */
  readonly emailConfirmed?: boolean;
}

/** The claim of a token that a service signed. */
export interface ServiceClaims {
  readonly name: string;
}

/** Tokens that were verified before and still hold. Each returns undefined for one that has to be verified. */
export interface SeenTokens {
  /** Throws SESSION_ENDED, as `TokenVerifier.user` rejects with it. */
  user(token: string, service?: string): UserClaims | undefined;
  service(token: string, audience: string): ServiceClaims | undefined;
}

/**
 * Verifies tokens. Rejects with TOKEN_INVALID, or with SESSION_ENDED where the token was valid until its session ended.
 */
export interface TokenVerifier {
  /** Verifies an access token; where `service` is given, also a token that a gateway signed for that service. */
  user(token: string, service?: string): Promise<UserClaims>;
  service(token: string, audience: string): Promise<ServiceClaims>;
  /** What was verified before, without a wait. Where it is left out, the methods above are asked for every token. */
  readonly seen?: SeenTokens;
  /**
   * Calls `listener` once when a session ends, for a stream, which may outlast its token. Returns an unsubscribe
   * function.
   */
  onSessionEnd?(sessionId: string, listener: () => void): () => void;
  /** Whether a session has ended, for a person who was verified elsewhere in this process. */
  hasEnded?(sessionId: string): boolean;
}

/** Issuer and audience of access tokens. */
const accessTokenParty = "rialto";

/**
 * Verifies access tokens with the user service's key set, which is fetched when it is first needed, and the tokens that
 * services and the gateway sign with the public keys of the configuration (each with its service's name as `kid`). All
 * are EdDSA: a token that names another algorithm is refused before a key is used. A token with a longer lifetime than
 * ours is refused too. A verified token is cached until it expires or the keys change; `revocations` is checked at
 * every call.
 */
export function createTokenVerifier(o: {
  readonly accessKeys: () => Promise<JSONWebKeySet>;
  readonly serviceKeys: JSONWebKeySet;
  /** Without it, tokens stay valid until they expire, also after their session ended. */
  readonly revocations?: Pick<Revocations, "has" | "onEnd">;
}): TokenVerifier {
  const { revocations } = o;
  const accessKeys = createKeySet(o.accessKeys);
  const serviceKeys = fixedKeySet(o.serviceKeys);
  const user = cacheVerified(async (token) => {
    // A gateway's token for a person is valid at one service only, and is no access token anywhere.
    if (isPersonToken(token)) throw new CallError(callErrors.TOKEN_INVALID);
    return verifyUser(token, accessKeys.find);
  }, accessKeys);
  const person = cacheVerified((token, audience) => verifyPerson(token, audience, serviceKeys.find), serviceKeys);
  const service = cacheVerified((token, audience) => verifyService(token, audience, serviceKeys.find), serviceKeys);
  const ofActiveSession = (claims: UserClaims): UserClaims => {
    if (revocations?.has(claims.sessionId) === true) throw new CallError(callErrors.SESSION_ENDED);
    return claims;
  };
  return {
    async user(token, at) {
      const isAtService = at !== undefined && isPersonToken(token);
      return ofActiveSession(await (isAtService ? person.claims(token, at) : user.claims(token, accessTokenParty)));
    },
    service: service.claims,
    seen: {
      user(token, at) {
        const ofService = at === undefined ? undefined : person.seen(token, at);
        const claims = ofService ?? user.seen(token, accessTokenParty);
        return claims === undefined ? undefined : ofActiveSession(claims);
      },
      service: service.seen,
    },
    ...(revocations === undefined ? {} : { onSessionEnd: revocations.onEnd, hasEnded: revocations.has }),
  };
}

async function verifyUser(token: string, keys: KeyFinder): Promise<Verified<UserClaims>> {
  const payload = await verify(token, keys, {
    issuer: accessTokenParty,
    audience: accessTokenParty,
    requiredClaims: ["sub", "iat", "exp", "sid", "role"],
  });
  assertLifetime(payload, accessTokenSecondsMax);
  return { claims: claimsOf(payload), expires: expiryOf(payload) };
}

/**
 * Verifies a token that the gateway signed for a person. Only its key is accepted: no other service acts for people.
 */
async function verifyPerson(token: string, audience: string, keys: KeyFinder): Promise<Verified<UserClaims>> {
  const finder: KeyFinder = (header, input) => {
    if (header?.kid !== gatewayName) throw new errors.JWKSNoMatchingKey();
    return keys(header, input);
  };
  const payload = await verify(token, finder, {
    issuer: gatewayName,
    audience,
    typ: personTokenType,
    requiredClaims: ["sub", "iat", "exp", "sid", "role", "act"],
  });
  assertLifetime(payload, serviceTokenSecondsMax);
  return { claims: claimsOf(payload), expires: expiryOf(payload) };
}

function claimsOf(payload: JWTPayload): UserClaims {
  const { sub, sid, role, email_verified: emailConfirmed } = payload;
  if (sub === undefined || typeof sid !== "string" || (role !== "CUSTOMER" && role !== "ADMIN")) {
    throw new CallError(callErrors.TOKEN_INVALID);
  }
  // The token is verified, so its subject is an account's id.
  const claims: UserClaims = { userId: sub as UserId, role, sessionId: sid };
  return typeof emailConfirmed === "boolean" ? { ...claims, emailConfirmed } : claims;
}

async function verifyService(token: string, audience: string, keys: KeyFinder): Promise<Verified<ServiceClaims>> {
  let kid: string | undefined;
  const finder: KeyFinder = (header, input) => {
    kid = header?.kid;
    return keys(header, input);
  };
  const payload = await verify(token, finder, { audience, requiredClaims: ["iss", "sub", "iat", "exp"] });
  assertLifetime(payload, serviceTokenSecondsMax);
  const { iss, sub } = payload;
  // A service's key must not sign for another service: the key's id is the service's name.
  if (iss === undefined || iss !== sub || iss !== kid) throw new CallError(callErrors.TOKEN_INVALID);
  return { claims: { name: iss }, expires: expiryOf(payload) };
}

async function verify(
  token: string,
  keys: KeyFinder,
  claims: {
    readonly issuer?: string;
    readonly audience: string;
    readonly typ?: string;
    readonly requiredClaims: string[];
  },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      ...claims,
      algorithms: ["EdDSA"],
      clockTolerance: clockSkewSecondsMax,
    });
    return payload;
  } catch (cause) {
    if (cause instanceof errors.JOSEError) throw new CallError(callErrors.TOKEN_INVALID, { cause });
    // The keys could not be fetched: it is unknown whether the token is valid.
    throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause });
  }
}

/**
 * Refuses a token with a longer lifetime than ours: a stolen key must not sign tokens that stay valid after the key is
 * removed. (jose's `maxTokenAge` measures by our clock alone, and refuses a token of a machine whose clock is a few
 * seconds ahead.)
 */
function assertLifetime({ iat = 0, exp = 0 }: JWTPayload, secondsMax: number): void {
  const now = Date.now() / 1000;
  if (exp - iat > secondsMax || iat > now + issuerSkewSecondsMax) throw new CallError(callErrors.TOKEN_INVALID);
}

/** Returns when a token expires, in milliseconds since 1970, with the tolerated clock skew. */
function expiryOf(payload: JWTPayload): number {
  return ((payload.exp ?? 0) + clockSkewSecondsMax) * 1000;
}
