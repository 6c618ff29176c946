import type { DescMethod, DescService } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { accessOf } from "@rialto/rpc";

/** Every service of the contract, as it was generated: one that is added to proto/ is here without being named. */
export const contractServices: readonly DescService[] = Object.values<unknown>(contracts).filter(isService);

/** The path of a method in the Connect protocol. */
export function procedureOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Which process serves a method, by the domain in its package: "rialto.order.v1.OrderService" is served by "order". */
export function upstreamNameOf(method: DescMethod): string {
  const domain = method.parent.typeName.split(".")[1];
  if (domain === undefined) throw new Error(`${method.parent.typeName} is not in a package of the contract`);
  return domain;
}

/** True where some role may call the method. What none may call does not exist at the gateway. */
export function isPublished(method: DescMethod): boolean {
  return (accessOf(method)?.roles.length ?? 0) > 0;
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
