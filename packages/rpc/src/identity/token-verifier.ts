import { errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { accessTokenSecondsMax, clockSkewSecondsMax, issuerSkewSecondsMax, serviceTokenSecondsMax } from "../limits.ts";
import type { UserId } from "./caller.ts";
import { doorName } from "./identity.ts";
import { createKeySet, fixedKeySet, type KeyFinder } from "./key-set.ts";
import { isPersonToken, personTokenType } from "./person-tokens.ts";
import type { Revocations } from "./revocations.ts";
import { rememberVerified, type Verified } from "./verified-token-cache.ts";

/** What a token of a person says. */
export interface UserClaims {
  readonly userId: UserId;
  readonly role: "CUSTOMER" | "ADMIN";
  readonly sessionId: string;
  /** False where nobody had confirmed the account's e-mail address when the token was made; undefined where it does not say. */
  readonly emailConfirmed?: boolean;
}

/** Tells whose token it is, or refuses it: with TOKEN_INVALID, or with SESSION_ENDED where it was good once. */
export interface TokenVerifier {
  /** By an access token; where `service` is given, also by what a gateway made for that service. */
  user(token: string, service?: string): Promise<UserClaims>;
  service(token: string, audience: string): Promise<{ readonly name: string }>;
  /** Calls back once when a session ends, for what outlasts the check of its token: a stream. Gives back how to stop listening. */
  onSessionEnd?(sessionId: string, ended: () => void): () => void;
}

/** Issuer and audience of access tokens. */
const accessTokenParty = "rialto";

/**
 * Checks access tokens against the user service's key set, which is fetched when it is first needed, and the services'
 * own tokens, and the gateway's for people, against the public keys of the configuration (each under its service's name as `kid`). All are EdDSA and
 * nothing else: a token that names another algorithm is refused before a key is used, and so is one that would live longer than we make
 * them. A signature that held is remembered until its token expires or the keys change; whether its session still lives is asked of
 * `revocations` at every call.
 */
export function createTokenVerifier(o: {
  readonly accessKeys: () => Promise<JSONWebKeySet>;
  readonly serviceKeys: JSONWebKeySet;
  /** Without it, tokens live out their minutes. */
  readonly revocations?: Pick<Revocations, "has" | "onEnd">;
}): TokenVerifier {
  const { revocations } = o;
  const accessKeys = createKeySet(o.accessKeys);
  const serviceKeys = fixedKeySet(o.serviceKeys);
  const user = rememberVerified((token) => verifyUser(token, accessKeys.find), accessKeys);
  const person = rememberVerified((token, audience) => verifyPerson(token, audience, serviceKeys.find), serviceKeys);
  const service = rememberVerified((token, audience) => verifyService(token, audience, serviceKeys.find), serviceKeys);
  return {
    async user(token, at) {
      const isPassedOn = isPersonToken(token);
      // What a gateway made for a service is good there only, and at no gateway.
      if (isPassedOn && at === undefined) throw new CallError(callErrors.TOKEN_INVALID);
      const claims = await (isPassedOn && at !== undefined ? person(token, at) : user(token, accessTokenParty));
      if (revocations?.has(claims.sessionId) === true) throw new CallError(callErrors.SESSION_ENDED);
      return claims;
    },
    service,
    ...(revocations === undefined ? {} : { onSessionEnd: revocations.onEnd }),
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

/** What the gateway says of a person to one service. Only the gateway's key may: no other service speaks for people. */
async function verifyPerson(token: string, audience: string, keys: KeyFinder): Promise<Verified<UserClaims>> {
  const finder: KeyFinder = (header, input) => {
    if (header?.kid !== doorName) throw new errors.JWKSNoMatchingKey();
    return keys(header, input);
  };
  const payload = await verify(token, finder, {
    issuer: doorName,
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
  // The signature makes the subject an account's id.
  const claims: UserClaims = { userId: sub as UserId, role, sessionId: sid };
  return typeof emailConfirmed === "boolean" ? { ...claims, emailConfirmed } : claims;
}

async function verifyService(
  token: string,
  audience: string,
  keys: KeyFinder,
): Promise<Verified<{ readonly name: string }>> {
  let kid: string | undefined;
  const finder: KeyFinder = (header, input) => {
    kid = header?.kid;
    return keys(header, input);
  };
  const payload = await verify(token, finder, { audience, requiredClaims: ["iss", "sub", "iat", "exp"] });
  assertLifetime(payload, serviceTokenSecondsMax);
  const { iss, sub } = payload;
  // One service's key must not speak for another: the key's name is the service's.
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
    // The keys could not be had: whether the token is good is not known.
    throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause });
  }
}

/**
 * Refuses a token that was not made for as short a life as ours are. Whoever gets hold of a key must not make tokens with it that outlive the
 * key. (jose's `maxTokenAge` measures from our clock alone, and refuses what a machine made whose clock is a few seconds ahead.)
 */
function assertLifetime({ iat = 0, exp = 0 }: JWTPayload, secondsMax: number): void {
  const now = Date.now() / 1000;
  if (exp - iat > secondsMax || iat > now + issuerSkewSecondsMax) throw new CallError(callErrors.TOKEN_INVALID);
}

/** The moment, in milliseconds, from which a token is not good any more. */
function expiryOf(payload: JWTPayload): number {
  return ((payload.exp ?? 0) + clockSkewSecondsMax) * 1000;
}
