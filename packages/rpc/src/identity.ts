import type { AccessPolicy } from "./access.ts";
import { callErrors } from "./call-errors.ts";
import type { Caller } from "./caller.ts";
import { refuse } from "./errors.ts";
import type { TokenVerifier } from "./token-verifier.ts";

export const userTokenHeader = "authorization";
export const serviceTokenHeader = "rialto-service";
/** The address that a client called the gateway from. Heard from the gateway only. */
export const clientAddressHeader = "rialto-client-address";

/** The one service whose calls are, but for a few, not its own but those of the person whose token it passes on. */
const doorName = "gateway";

interface Identified {
  readonly caller: Caller;
  readonly userToken: string | undefined;
  /** Where the call came in from outside, as the gateway saw it. */
  readonly clientAddress?: string;
  /** The gateway calls, and names neither a person nor an address that it would pass the call on for. */
  readonly isDoorItself?: boolean;
}

/**
 * Who calls: another service by the token that it signed for us, else the person whose access token it is, else nobody
 * in particular. A token that does not hold is refused even where none was needed: whoever sends one means it.
 */
export async function identify(headers: Headers, service: string, verifier: TokenVerifier): Promise<Identified> {
  const userToken = bearer(headers.get(userTokenHeader));
  const serviceToken = headers.get(serviceTokenHeader);
  if (serviceToken !== null) {
    const { name } = await verifier.service(serviceToken, service);
    // The customer's token only travels on here: it may have expired since the work began that this call is part of.
    if (name !== doorName) return { caller: { kind: "service", name }, userToken };
  }
  const address = serviceToken === null ? null : headers.get(clientAddressHeader);
  const from = address === null ? {} : { clientAddress: address };
  if (userToken === undefined) {
    const isDoorItself = serviceToken !== null && address === null;
    return { caller: { kind: "anonymous" }, userToken, ...from, isDoorItself };
  }
  const { userId, role, sessionId } = await verifier.user(userToken);
  return { caller: { kind: "user", userId, role, sessionId }, userToken, ...from };
}

/**
 * Whose call it is to a method of this policy. It is the gateway's own where it is passed on for nobody, to a method that the gateway may call and no
 * person may: it lets none of those through, and says of all that it passes on from which address they came. Everywhere else an unnamed caller is nobody.
 */
export function callerUnder(policy: AccessPolicy | undefined, { caller, isDoorItself }: Identified): Caller {
  const isOwn = isDoorItself === true && policy?.roles.length === 0 && policy.services.includes(doorName);
  return isOwn ? { kind: "service", name: doorName } : caller;
}

function bearer(header: string | null): string | undefined {
  if (header === null) return undefined;
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw refuse(callErrors.TOKEN_INVALID);
  return token;
}
