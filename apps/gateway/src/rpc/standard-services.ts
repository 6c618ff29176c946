import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  callErrors,
  createStandardServices,
  isHealthPath,
  isReady,
  isStandardStream,
  type Readiness,
  readNodeRequest,
  refuse,
  writeNodeResponse,
} from "@rialto/rpc";
import type { InFlightRequest } from "../admission/load-shedding.ts";
import type { CountRequest } from "../admission/request-limits.ts";
import { isPublished, upstreamNameOf } from "../contract.ts";
import { Refused } from "../errors/refused.ts";
import { limitedBody } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { isServing } from "../upstream/health-check.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import { takingWebText } from "./web-text.ts";

/** How long a service's word on its health is good for: however many ask, it is asked once in that time. */
const healthKeptMs = 1_000;

/**
 * Answers gRPC's own services for all that is behind the gateway: it tells of what is published, asks each service for
 * its health, and is itself as `/ready` says. Their streams are among those of the address that they come from.
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
  const isWell = keptFor(healthKeptMs, (name, method) => isServing(o.upstreams.upstream(upstreamNameOf(method)), name));
  const answer = createStandardServices({
    services: o.services,
    isListed: isPublished,
    reflection: o.reflection,
    closing: o.closing,
    async healthOf(name) {
      if (name === "") return isReady(await o.readiness()) ? "SERVING" : "NOT_SERVING";
      const method = methods.get(name);
      if (method === undefined) return undefined;
      return (await isWell(name, method)) ? "SERVING" : "NOT_SERVING";
    },
  });
  // It is asked within an answer, so what it is refused with is said as a service says it.
  const countQuestion = (exchange: Exchange) =>
    o.count(exchange, undefined, undefined).catch((error) => {
      throw error instanceof Refused ? refuse(callErrors.RATE_LIMITED) : error;
    });
  return async (exchange, inFlight) => {
    const { request, response, path, record, writeTimeout } = exchange;
    record.route = "gRPC health or reflection";
    await o.count(exchange, undefined, undefined);
    // Health is told as long as anything is. Nobody signs in for either.
    if (!isHealthPath(path)) inFlight.identified({ kind: "anonymous" });
    if (isStandardStream(path)) inFlight.stream("grpc");
    const asked = { ...readNodeRequest(request, response), body: limitedBody(request) };
    const answerAll = takingWebText((request) => answer(request, () => countQuestion(exchange)));
    await writeNodeResponse(await answerAll(asked), response, writeTimeout);
  };
}

type AskHealth = (service: string, method: DescMethod) => Promise<boolean>;

function keptFor(ms: number, ask: AskHealth): AskHealth {
  const kept = new Map<string, { readonly at: number; readonly answer: Promise<boolean> }>();
  return (service, method) => {
    const last = kept.get(service);
    if (last !== undefined && performance.now() - last.at < ms) return last.answer;
    const answer = ask(service, method);
    kept.set(service, { at: performance.now(), answer });
    return answer;
  };
}
