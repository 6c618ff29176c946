import type { DescMethod } from "@bufbuild/protobuf";
import {
  accessOf,
  CallError,
  type Caller,
  callErrors,
  decideAccess,
  identifyPerson,
  type TokenVerifier,
} from "@rialto/rpc";

/**
 * Identifies the caller by the access token alone; other headers that claim an identity are ignored. Throws
 * UNAUTHENTICATED for an invalid token, also if the method needs none.
 */
export async function identifyCaller(authorization: string | undefined, verifier: TokenVerifier): Promise<Caller> {
  return await identifyPerson(authorization ?? null, verifier);
}

/**
 * Applies the method's access policy. Throws UNIMPLEMENTED if no role may call the method, UNAUTHENTICATED if it needs
 * a token and there is none, PERMISSION_DENIED for a role that the policy does not list. The upstream service checks
 * again, from the same descriptor.
 */
export function requireAccess(method: DescMethod, caller: Caller): void {
  switch (decideAccess(accessOf(method), caller)) {
    case "allow":
      return;
    case "authenticate":
      throw new CallError(callErrors.CALLER_REQUIRED);
    case "deny":
      throw new CallError(callErrors.ACCESS_DENIED);
    case "unknown":
      throw unknownMethod();
  }
}

/** Makes the error for a method that is internal or does not exist. The two are not distinguishable. */
export function unknownMethod() {
  return new CallError(callErrors.METHOD_UNKNOWN);
}
