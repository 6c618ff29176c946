import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ClientTarget,
  type HttpResponse,
  isSafeToRetry,
  type PersonTokens,
  type ServiceTokens,
  type Upstream,
} from "@rialto/rpc";
import type { RecordedSpan } from "@rialto/telemetry";
import { procedureOf, upstreamNameOf } from "../contract.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import { fieldsInward, type InwardTokens, passedNames } from "./request-headers.ts";

/** The services that the gateway calls. */
export interface Upstreams {
  /** Returns the upstream of a service by its name, "order": handlers in this process, or replicas over the network. */
  upstream(service: string): Upstream;
  /** Returns where calls with messages go: to the same handlers, or over the same upstream. */
  target(service: string): ClientTarget;
  /** Makes the tokens that identify the gateway to a service. */
  readonly tokens: ServiceTokens;
  /** Makes the tokens that name a person to one service. */
  readonly persons: PersonTokens;
  /** Names of request headers, in lower case, that pass beside those of the protocols. None if left out. */
  readonly passedHeaders?: readonly string[];
  /** Names of the entries of the header `baggage` that pass. None if left out. */
  readonly baggageNames?: ReadonlySet<string>;
  /** Returns true while services of version 0.1.0 may run, which accept only access tokens. Never, if left out. */
  readonly passesAccessTokens?: () => boolean;
}

/** Calls the service of a method with a request as bytes. The upstream chooses the replica. */
export async function callUpstream(
  exchange: AdmittedExchange,
  method: DescMethod,
  upstreams: Upstreams,
  o: {
    readonly httpMethod: string;
    readonly query: string;
    readonly body: AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
    /** Headers of the call beside the client's own. */
    readonly headers?: Readonly<Record<string, string>>;
    /** The span of the call, where its trace is recorded. */
    readonly span?: RecordedSpan | undefined;
  },
): Promise<HttpResponse> {
  const service = upstreamNameOf(method);
  const tokens = await tokensOf(exchange, service, upstreams);
  const { passedHeaders, baggageNames } = upstreams;
  const passedOn = { names: passedNames(passedHeaders), baggageNames, span: o.span };
  const header = new Headers(fieldsInward(exchange, tokens, passedOn));
  for (const [name, value] of Object.entries(o.headers ?? {})) header.set(name, value);
  const request = {
    url: `http://${service}${procedureOf(method)}${o.query}`,
    method: o.httpMethod,
    header,
    body: o.body,
    signal: o.signal,
  };
  return upstreams.upstream(service).fetch(request, {
    isSafe: isSafeToRetry(method, header),
    isStream: method.methodKind !== "unary",
    takesStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
  });
}

/**
 * Returns the tokens that name the gateway and the caller to one service, at once where they were signed before. The
 * client's access token goes no further than the gateway.
 */
export function tokensOf(
  { request, caller }: AdmittedExchange,
  service: string,
  upstreams: Upstreams,
): InwardTokens | Promise<InwardTokens> {
  const { tokens, persons } = upstreams;
  const isNamed = caller.kind === "user" && upstreams.passesAccessTokens?.() !== true;
  const passedOn = caller.kind === "user" ? request.headers.authorization : undefined;
  const serviceToken = tokens.signed?.(service);
  const person = isNamed ? persons.signedBearer?.(caller, service) : undefined;
  if (serviceToken !== undefined && (person !== undefined || !isNamed))
    return { serviceToken, authorization: person ?? passedOn };
  const signing = Promise.all([tokens.for(service), isNamed ? persons.for(caller, service) : undefined]);
  return signing.then(([signed, signedPerson]) => ({
    serviceToken: signed,
    authorization: signedPerson === undefined ? passedOn : `Bearer ${signedPerson}`,
  }));
}
