import type { DescMethod } from "@bufbuild/protobuf";
import { accessOf, type Caller, callErrors, decideAccess, identifyPerson, type TokenVerifier } from "@rialto/rpc";
import { refused } from "../errors/refused.ts";

/**
 * Tells who calls, by their access token and nothing else: whatever else claims an identity outside is not heard.
 * Throws UNAUTHENTICATED for a token that does not hold, also where none is needed.
 */
export async function identifyCaller(authorization: string | undefined, verifier: TokenVerifier): Promise<Caller> {
  return await identifyPerson(authorization ?? null, verifier);
}

/**
 * Decides by the method's policy, or throws: UNIMPLEMENTED where no role may call the method, UNAUTHENTICATED without a
 * token where one is needed, PERMISSION_DENIED for a role that the policy does not list. The service behind decides
 * again, from the same descriptor.
 */
export function requireAccess(method: DescMethod, caller: Caller): void {
  switch (decideAccess(accessOf(method), caller)) {
    case "allow":
      return;
    case "authenticate":
      throw refused(callErrors.CALLER_REQUIRED);
    case "deny":
      throw refused(callErrors.ACCESS_DENIED);
    case "unknown":
      throw unknownMethod();
  }
}

/** The same answer for a method that is internal and for one that is not there. */
export function unknownMethod() {
  return refused(callErrors.METHOD_UNKNOWN);
}
