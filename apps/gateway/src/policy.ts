import type { DescMethod } from "@bufbuild/protobuf";
import {
  accessOf,
  type Caller,
  callErrors,
  decideAccess,
  identify,
  type TokenVerifier,
  userTokenHeader,
} from "@rialto/rpc";
import { refused } from "./refused.ts";

/**
 * Identifies the caller by their access token and decides by the method's policy. Returns the caller, or throws: UNIMPLEMENTED where no
 * role may call the method, UNAUTHENTICATED without a token where one is needed and with a bad one everywhere, PERMISSION_DENIED
 * for a role that the policy does not list. The service behind decides again, from the same descriptor.
 */
export async function admit(
  method: DescMethod,
  authorization: string | undefined,
  verifier: TokenVerifier,
): Promise<Caller> {
  const policy = accessOf(method);
  if (policy === undefined || policy.roles.length === 0) throw unknownMethod();
  // Nothing but the access token is looked at: whatever else claims an identity outside is not heard.
  const headers = new Headers(authorization === undefined ? {} : { [userTokenHeader]: authorization });
  const { caller } = await identify(headers, "gateway", verifier);
  switch (decideAccess(policy, caller)) {
    case "allow":
      return caller;
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
