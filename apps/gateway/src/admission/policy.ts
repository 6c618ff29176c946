import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  accessOf,
  CallError,
  type Caller,
  callErrors,
  decideAccess,
  identifyPerson,
  seenPerson,
  type TokenVerifier,
} from "@rialto/rpc";

/**
 * Identifies the caller by the access token alone, at once where the token was verified before; other headers that
 * claim an identity are ignored. Rejects with UNAUTHENTICATED for an invalid token, also if the method needs none.
 */
export function identifyCaller(authorization: string | undefined, verifier: TokenVerifier): Caller | Promise<Caller> {
  return seenPerson(authorization, verifier) ?? identifyPerson(authorization ?? null, verifier);
}

/** Applies the access policy of a method to a caller. Throws where it refuses. */
export type RequireAccess = (method: DescMethod, caller: Caller) => void;

/**
 * Makes what applies the access policies of the contract, which are looked up once. Throws UNIMPLEMENTED if no role may
 * call the method, UNAUTHENTICATED if it needs a token and there is none, PERMISSION_DENIED for a role that the policy
 * does not list. The upstream service checks again, from the same descriptor.
 */
export function createAccessPolicies(services: readonly DescService[]): RequireAccess {
  const policies = new Map(services.flatMap(({ methods }) => methods).map((method) => [method, accessOf(method)]));
  return (method, caller) => {
    switch (decideAccess(policies.get(method), caller)) {
      case "allow":
        return;
      case "authenticate":
        throw new CallError(callErrors.CALLER_REQUIRED);
      case "deny":
        throw new CallError(callErrors.ACCESS_DENIED);
      case "unknown":
        throw unknownMethod();
    }
  };
}

/** Makes the error for a method that is internal or does not exist. The two are not distinguishable. */
export function unknownMethod() {
  return new CallError(callErrors.METHOD_UNKNOWN);
}
