import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { access, Role } from "@rialto/contracts";
import { type Caller, gatewayName } from "./caller.ts";

/** The access policy of one method, from its options in the contract. */
export interface AccessPolicy {
  readonly roles: readonly ("PUBLIC" | "CUSTOMER" | "ADMIN")[];
  readonly services: readonly string[];
  /** Beside those, every service but the gateway. */
  readonly anyService: boolean;
  readonly owned: boolean;
}

/** Returns the policy of a method; undefined where the contract has none, and no caller is allowed. */
export function accessOf(method: DescMethod): AccessPolicy | undefined {
  if (!hasOption(method, access)) return undefined;
  const { roles, services, anyService, owned } = getOption(method, access);
  return { roles: roles.flatMap((role) => roleNames[role]), services, anyService, owned };
}

/**
 * Decides whether a caller may call a method. The gateway and every endpoint use it:
 * - `allow`: the caller may call it.
 * - `authenticate`: the caller is anonymous, and may be allowed once signed in.
 * - `deny`: the caller is known and may not call it.
 * - `unknown`: no person may call it, so for a person it does not exist.
 */
export function decideAccess(
  policy: AccessPolicy | undefined,
  caller: Caller,
): "allow" | "authenticate" | "deny" | "unknown" {
  if (policy === undefined) return "unknown";
  if (caller.kind === "service") return isOpenTo(policy, caller.name) ? "allow" : "deny";
  if (policy.roles.length === 0) return "unknown";
  if (policy.roles.includes("PUBLIC")) return "allow";
  if (caller.kind === "anonymous") return "authenticate";
  return policy.roles.includes(caller.role) ? "allow" : "deny";
}

function isOpenTo({ services, anyService }: AccessPolicy, service: string): boolean {
  return services.includes(service) || (anyService && service !== gatewayName);
}

const roleNames: Readonly<Record<Role, AccessPolicy["roles"]>> = {
  [Role.ROLE_UNSPECIFIED]: [],
  [Role.PUBLIC]: ["PUBLIC"],
  [Role.CUSTOMER]: ["CUSTOMER"],
  [Role.ADMIN]: ["ADMIN"],
};
