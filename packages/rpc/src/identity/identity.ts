import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { AccessPolicy } from "./access.ts";
import type { Caller } from "./caller.ts";
import { isPersonToken } from "./person-tokens.ts";
import type { TokenVerifier } from "./token-verifier.ts";

export const userTokenHeader = "authorization";
export const serviceTokenHeader = "rialto-service";
/** The address that a client called the gateway from. Heard from the gateway only. */
export const clientAddressHeader = "rialto-client-address";

/** The one service whose calls are, but for a few, not its own but those of the person that it names. */
export const doorName = "gateway";

interface Identified {
  readonly caller: Caller;
  /** The access token of the person who calls, where the gateway passes it on as those of version 0.1.0 do. */
  readonly userToken?: string;
  /** Where the call came in from outside, as the gateway saw it. */
  readonly clientAddress?: string;
  /** The gateway calls, and names neither a person nor an address that it would pass the call on for. */
  readonly isDoorItself?: boolean;
}

/**
 * Who calls a service: another service by the token that it signed for this one; or, where that is the gateway, the person whom its second token
 * names for this service, else nobody in particular. A gateway of version 0.1.0 has the person's access token in its place. Without a service's token
 * nobody is heard, with GATEWAY_REQUIRED: limits, revocations and what else the gateway looks after would be passed by, and an access token that leaked
 * inside would be good for every service. A token that does not hold is refused even where none was needed: whoever sends one means it.
 */
export async function identify(headers: Headers, service: string, verifier: TokenVerifier): Promise<Identified> {
  const serviceToken = headers.get(serviceTokenHeader);
  if (serviceToken === null) throw new CallError(callErrors.GATEWAY_REQUIRED);
  const { name } = await verifier.service(serviceToken, service);
  if (name !== doorName) return { caller: { kind: "service", name } };
  const address = headers.get(clientAddressHeader);
  const from = address === null ? {} : { clientAddress: address };
  const authorization = headers.get(userTokenHeader);
  const caller = await identifyPerson(authorization, verifier, service);
  const token = authorization === null ? undefined : bearer(authorization);
  const shown = token === undefined || isPersonToken(token) ? {} : { userToken: token };
  return { caller, ...shown, ...from, isDoorItself: caller.kind === "anonymous" && address === null };
}

/**
 * Whose token an Authorization header holds; nobody's in particular where there is none. That is an access token, or at `service` what a gateway
 * made for that service. Throws TOKEN_INVALID or SESSION_ENDED where it does not hold.
 */
export async function identifyPerson(
  authorization: string | null,
  verifier: TokenVerifier,
  service?: string,
): Promise<Caller> {
  if (authorization === null) return { kind: "anonymous" };
  return { kind: "user", ...(await verifier.user(bearer(authorization), service)) };
}

/**
 * Whose call it is to a method of this policy. It is the gateway's own where it is passed on for nobody, to a method that the gateway may call and no
 * person may: it lets none of those through, and says of all that it passes on from which address they came. Everywhere else an unnamed caller is nobody.
 */
export function callerUnder(policy: AccessPolicy | undefined, { caller, isDoorItself }: Identified): Caller {
  const isOwn = isDoorItself === true && policy?.roles.length === 0 && policy.services.includes(doorName);
  return isOwn ? { kind: "service", name: doorName } : caller;
}

function bearer(header: string): string {
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw new CallError(callErrors.TOKEN_INVALID);
  return token;
}
