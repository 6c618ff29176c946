import { callErrors } from "./call-errors.ts";
import type { Caller } from "./caller.ts";
import { refuse } from "./errors.ts";
import type { TokenVerifier } from "./token-verifier.ts";

export const userTokenHeader = "authorization";
export const serviceTokenHeader = "rialto-service";
/** The address that a client called the gateway from. Heard from the gateway only. */
export const clientAddressHeader = "rialto-client-address";

/** The one service whose calls are not its own but those of the person whose token it passes on. */
const doorName = "gateway";

interface Identified {
  readonly caller: Caller;
  readonly userToken: string | undefined;
  /** Where the call came in from outside, as the gateway saw it. */
  readonly clientAddress?: string;
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
  if (userToken === undefined) return { caller: { kind: "anonymous" }, userToken, ...from };
  const { userId, role, sessionId } = await verifier.user(userToken);
  return { caller: { kind: "user", userId, role, sessionId }, userToken, ...from };
}

function bearer(header: string | null): string | undefined {
  if (header === null) return undefined;
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token === undefined) throw refuse(callErrors.TOKEN_INVALID);
  return token;
}
