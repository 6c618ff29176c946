import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { access, Role } from "@rialto/contracts";
import type { Caller } from "./caller.ts";

/** The access policy of one method, as the contract has it. */
export interface AccessPolicy {
  readonly roles: readonly ("PUBLIC" | "CUSTOMER" | "ADMIN")[];
  readonly services: readonly string[];
  readonly owned: boolean;
}

/** The policy that the contract gives a method; undefined for an internal one, which nobody may call. */
export function accessOf(method: DescMethod): AccessPolicy | undefined {
  if (!hasOption(method, access)) return undefined;
  const { roles, services, owned } = getOption(method, access);
  return { roles: roles.flatMap((role) => roleNames[role]), services, owned };
}

/**
 * What a policy makes of a caller. The gateway and every endpoint ask the same question:
 * - `allow`: go on.
 * - `authenticate`: nobody in particular called; somebody who is signed in may be let in.
 * - `deny`: the caller is known and may not.
 * - `unknown`: no person may ever call it, so for a person it does not exist.
 */
export function decideAccess(
  policy: AccessPolicy | undefined,
  caller: Caller,
): "allow" | "authenticate" | "deny" | "unknown" {
  if (policy === undefined) return "unknown";
  if (caller.kind === "service") return policy.services.includes(caller.name) ? "allow" : "deny";
  if (policy.roles.length === 0) return "unknown";
  if (policy.roles.includes("PUBLIC")) return "allow";
  if (caller.kind === "anonymous") return "authenticate";
  return policy.roles.includes(caller.role) ? "allow" : "deny";
}

const roleNames: Readonly<Record<Role, AccessPolicy["roles"]>> = {
  [Role.ROLE_UNSPECIFIED]: [],
  [Role.PUBLIC]: ["PUBLIC"],
  [Role.CUSTOMER]: ["CUSTOMER"],
  [Role.ADMIN]: ["ADMIN"],
};
