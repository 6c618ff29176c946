import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ByteRequest, type ByteResponse, createStandardServices, isReady, type Readiness } from "@rialto/rpc";
import { isPublished, upstreamNameOf } from "./contract.ts";
import { isServing } from "./serving.ts";
import type { Behind } from "./upstream.ts";
import { takingWebText } from "./web-text.ts";

/** gRPC's own services for all that is behind the gateway: it tells of what is published, asks each service for its health, and is itself as `/ready` says. */
export function createStandard(o: {
  readonly services: readonly DescService[];
  readonly reflection: boolean;
  readonly behind: Pick<Behind, "upstream">;
  readonly readiness: Readiness;
  readonly closing: AbortSignal;
}): (request: ByteRequest) => Promise<ByteResponse> {
  const methods = new Map<string, DescMethod>();
  for (const method of o.services.flatMap((service) => service.methods)) {
    if (isPublished(method)) methods.set(method.parent.typeName, method);
  }
  const answer = createStandardServices({
    services: o.services,
    isListed: isPublished,
    reflection: o.reflection,
    closing: o.closing,
    async healthOf(name) {
      if (name === "") return isReady(await o.readiness()) ? "SERVING" : "NOT_SERVING";
      const method = methods.get(name);
      if (method === undefined) return undefined;
      return (await isServing(o.behind.upstream(upstreamNameOf(method)), name)) ? "SERVING" : "NOT_SERVING";
    },
  });
  return takingWebText(answer);
}
