import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  createStandardServices,
  isHealthPath,
  isReady,
  isStandardStream,
  type Readiness,
  readNodeRequest,
  writeNodeResponse,
} from "@rialto/rpc";
import type { InFlightRequest } from "../admission/in-flight-request.ts";
import type { CountRequest } from "../admission/request-limits.ts";
import { isPublished, upstreamNameOf } from "../contract.ts";
import { limitedBody } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { isServing } from "../upstream/health-check.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import { acceptingWebText } from "./web-text.ts";

/** How long the health of a service is cached, so that many checks cost one call. */
const healthCachedMs = 1_000;

/**
 * Serves gRPC's own services for all services behind the gateway. Reflection lists what is published; health asks each
 * service, and for the gateway itself says the same as `/ready`. Their streams count among those of the client's
 * address.
 */
export function createStandardServicesHandler(o: {
  readonly services: readonly DescService[];
  readonly reflection: boolean;
  readonly upstreams: Pick<Upstreams, "upstream">;
  readonly readiness: Readiness;
  readonly closing: AbortSignal;
  readonly count: CountRequest;
}): (exchange: Exchange, inFlight: InFlightRequest) => Promise<void> {
  const methods = new Map<string, DescMethod>();
  for (const method of o.services.flatMap((service) => service.methods)) {
    if (isPublished(method)) methods.set(method.parent.typeName, method);
  }
  const isHealthy = cachedFor(healthCachedMs, (name, method) =>
    isServing(o.upstreams.upstream(upstreamNameOf(method)), name),
  );
  const answer = createStandardServices({
    services: o.services,
    isListed: isPublished,
    reflection: o.reflection,
    closing: o.closing,
    async healthOf(name) {
      if (name === "") return isReady(await o.readiness()) ? "SERVING" : "NOT_SERVING";
      const method = methods.get(name);
      if (method === undefined) return undefined;
      return (await isHealthy(name, method)) ? "SERVING" : "NOT_SERVING";
    },
  });
  return async (exchange, inFlight) => {
    const { request, response, path, record, writeTimeout } = exchange;
    record.route = "gRPC health or reflection";
    await o.count(exchange, undefined, undefined);
    // Health is answered under any load. Neither service needs a caller.
    if (!isHealthPath(path)) inFlight.identified({ kind: "anonymous" });
    if (isStandardStream(path)) inFlight.stream("grpc");
    const incoming = { ...readNodeRequest(request, response), body: limitedBody(request) };
    const answerAll = acceptingWebText((request) =>
      answer(request, async () => o.count(exchange, undefined, undefined)),
    );
    await writeNodeResponse(await answerAll(incoming), response, writeTimeout);
  };
}

type CheckHealth = (service: string, method: DescMethod) => Promise<boolean>;

function cachedFor(ms: number, check: CheckHealth): CheckHealth {
  const cached = new Map<string, { readonly at: number; readonly answer: Promise<boolean> }>();
  return (service, method) => {
    const last = cached.get(service);
    if (last !== undefined && performance.now() - last.at < ms) return last.answer;
    const answer = check(service, method);
    cached.set(service, { at: performance.now(), answer });
    return answer;
  };
}
