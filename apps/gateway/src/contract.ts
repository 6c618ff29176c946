import type { DescMethod, DescService } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { accessOf } from "@rialto/rpc";

/**
 * Every service of the contract. Read from the generated code, so that a new service is included without being named.
 */
export const contractServices: readonly DescService[] = Object.values<unknown>(contracts).filter(isService);

/** Returns the path of a method in the Connect protocol. */
export function procedureOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * Returns the name of the upstream that serves a method, from its package: "rialto.order.v1.OrderService" is served by
 * "order".
 */
export function upstreamNameOf(method: DescMethod): string {
  const { typeName } = method.parent;
  // Asked for with each request: a list of its parts would be made for one of them.
  const start = typeName.indexOf(".") + 1;
  const end = typeName.indexOf(".", start);
  if (start === 0) throw new Error(`${typeName} is not in a package of the contract`);
  return end === -1 ? typeName.slice(start) : typeName.slice(start, end);
}

/** Returns the names of the upstreams that serve the published methods of these services, each once. */
export function upstreamNamesOf(services: readonly DescService[]): readonly string[] {
  const published = services.flatMap((service) => service.methods).filter(isPublished);
  return [...new Set(published.map(upstreamNameOf))];
}

/** Returns true if some role may call the method. Other methods do not exist at the gateway. */
export function isPublished(method: DescMethod): boolean {
  return (accessOf(method)?.roles.length ?? 0) > 0;
}

function isService(value: unknown): value is DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
