import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { CallHeaders } from "../wire/call-headers.ts";
import type { AccessPolicy } from "./access.ts";
import { type Caller, gatewayName } from "./caller.ts";
import { isPersonToken } from "./signed-tokens.ts";
import type { TokenVerifier, UserClaims } from "./token-verifier.ts";

export const userTokenHeader = "authorization";
export const serviceTokenHeader = "rialto-service";
/** The address that a client called the gateway from. Read from the gateway only. */
export const clientAddressHeader = "rialto-client-address";

/** Who calls a service. */
export interface Identified {
  readonly caller: Caller;
  /** The person's access token, where a gateway of version 0.1.0 passes it on. */
  readonly userToken?: string | undefined;
  /** The client's address, as the gateway saw it. */
  readonly clientAddress?: string | undefined;
  /** The gateway calls, and names neither a person nor a client address. */
  readonly isGatewayItself?: boolean;
}

/**
 * Identifies the caller of a service: another service, by the token that it signed for this one; or, where that is the
 * gateway, the person that its second token names for this service, else an anonymous caller. A gateway of version
 * 0.1.0 sends the person's access token instead. A call without a service's token is refused with GATEWAY_REQUIRED: it
 * would bypass the gateway's limits, and a leaked access token would be valid at every service. An invalid token is
 * refused even where none was required.
 */
export function identify(
  headers: CallHeaders,
  service: string,
  verifier: TokenVerifier,
): Identified | Promise<Identified> {
  const serviceToken = headers.get(serviceTokenHeader);
  if (serviceToken === null) throw new CallError(callErrors.GATEWAY_REQUIRED);
  const seen = verifier.seen?.service(serviceToken, service);
  if (seen !== undefined) return identifyFor(seen.name, headers, service, verifier);
  return verifier.service(serviceToken, service).then(({ name }) => identifyFor(name, headers, service, verifier));
}

/** Identifies whom the caller of this name calls for: itself, or a person where it is the gateway. */
function identifyFor(
  name: string,
  headers: CallHeaders,
  service: string,
  verifier: TokenVerifier,
): Identified | Promise<Identified> {
  if (name !== gatewayName) return { caller: { kind: "service", name } };
  const clientAddress = headers.get(clientAddressHeader) ?? undefined;
  const authorization = headers.get(userTokenHeader);
  if (authorization === null) return forNobody(clientAddress);
  const identifiedAs = (claims: UserClaims, token: string): Identified => {
    return { caller: { kind: "user", ...claims }, userToken: isPersonToken(token) ? undefined : token, clientAddress };
  };
  if (authorization.startsWith(bearerScheme)) {
    const written = authorization.slice(bearerScheme.length);
    const seen = verifier.seen?.user(written, service);
    if (seen !== undefined) return identifiedAs(seen, written);
  }
  const token = bearer(authorization);
  return verifier.user(token, service).then((claims) => identifiedAs(claims, token));
}

/** As nearly all write it: a token that was seen before is found without an expression. */
const bearerScheme = "Bearer ";

/** What the gateway says of a call that it passes on, where it calls in its own process. */
export interface PassedOn {
  /** The person, whom the gateway has verified. */
  readonly caller?: Caller;
  /** The person's access token, which is verified instead. */
  readonly userToken?: string | undefined;
  readonly clientAddress?: string | undefined;
}

/**
 * Identifies the caller of a service in the same process, as `identify` does for one over the network. Its name was
 * given where the process was put together, so it proves nothing with a token. Only the gateway passes on calls: what
 * any other says of people is ignored. The session of a person may have ended since.
 */
export function identifyInProcess(
  name: string,
  passedOn: PassedOn,
  verifier: TokenVerifier,
): Identified | Promise<Identified> {
  if (name !== gatewayName) return { caller: { kind: "service", name } };
  const { caller, userToken, clientAddress } = passedOn;
  if (userToken !== undefined) {
    const verified = identifyPerson(`Bearer ${userToken}`, verifier);
    return verified.then((person) => ({ caller: person, userToken, clientAddress }));
  }
  if (caller?.kind !== "user") return forNobody(clientAddress);
  if (verifier.hasEnded?.(caller.sessionId) === true) throw new CallError(callErrors.SESSION_ENDED);
  return { caller, clientAddress };
}

function forNobody(clientAddress: string | undefined): Identified {
  return { caller: { kind: "anonymous" }, clientAddress, isGatewayItself: clientAddress === undefined };
}

/**
 * Returns the person of an Authorization header whose access token was verified before, without a wait; anonymous
 * without a header. Undefined where `identifyPerson` has to be asked.
 */
export function seenPerson(authorization: string | undefined, verifier: TokenVerifier): Caller | undefined {
  if (authorization === undefined) return { kind: "anonymous" };
  if (!authorization.startsWith(bearerScheme)) return undefined;
  try {
    const claims = verifier.seen?.user(authorization.slice(bearerScheme.length));
    return claims === undefined ? undefined : { kind: "user", ...claims };
  } catch {
    // Its session has ended. It is refused as any other token is.
    return undefined;
  }
}

/**
 * Identifies the person of an Authorization header with an access token; anonymous without one. Rejects with
 * TOKEN_INVALID or SESSION_ENDED.
 */
export async function identifyPerson(authorization: string | null, verifier: TokenVerifier): Promise<Caller> {
  if (authorization === null) return { kind: "anonymous" };
  return { kind: "user", ...(await verifier.user(bearer(authorization))) };
}

/**
 * Returns the caller of a method with this policy. It is the gateway itself where it names neither person nor address,
 * and calls a method that the gateway may call and no person may: it passes on no calls to those, and sends a client
 * address with every call that it passes on. Otherwise an unnamed caller is anonymous.
 */
export function callerUnder(policy: AccessPolicy | undefined, { caller, isGatewayItself }: Identified): Caller {
  const isOwn = isGatewayItself === true && policy?.roles.length === 0 && policy.services.includes(gatewayName);
  return isOwn ? { kind: "service", name: gatewayName } : caller;
}

function bearer(header: string): string {
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw new CallError(callErrors.TOKEN_INVALID);
  return token;
}
