import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ByteResponse,
  type ByteUpstream,
  isSafeToRepeat,
  type PersonTokens,
  type ServiceTokens,
} from "@rialto/rpc";
import { procedureOf, upstreamNameOf } from "../contract.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import { headersInward } from "./request-headers.ts";

/** The services behind the gateway. */
export interface Upstreams {
  /** The way to a service by its name, "order": its handlers in this process, or its replicas behind the network. */
  upstream(service: string): ByteUpstream;
  /** The gateway's own tokens, which tell a service who passes the call on. */
  readonly tokens: ServiceTokens;
  /** What tells a service for whom it is passed on. */
  readonly persons: PersonTokens;
  /** Whether services of version 0.1.0 may be behind, which take access tokens only: never, where it is not given. */
  readonly passesAccessTokens?: () => boolean;
}

/** Passes a call on to the service that serves its method. Where that is, the upstream knows. */
export async function callUpstream(
  exchange: AdmittedExchange,
  method: DescMethod,
  upstreams: Upstreams,
  o: {
    readonly httpMethod: string;
    readonly query: string;
    readonly body: AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
    /** Headers of the call that are not the client's own. */
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<ByteResponse> {
  const service = upstreamNameOf(method);
  const [serviceToken, authorization] = await Promise.all([
    upstreams.tokens.for(service),
    authorizationOf(exchange, service, upstreams),
  ]);
  const header = headersInward(exchange, { serviceToken, authorization });
  for (const [name, value] of Object.entries(o.headers ?? {})) header.set(name, value);
  const request = {
    url: `http://${service}${procedureOf(method)}${o.query}`,
    method: o.httpMethod,
    header,
    body: o.body,
    signal: o.signal,
  };
  return upstreams.upstream(service).fetch(request, {
    isSafe: isSafeToRepeat(method, header),
    isStream: method.methodKind !== "unary",
    takesStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
  });
}

/** What names the person who calls to one service, and is of no use anywhere else. Their access token ends here. */
async function authorizationOf(
  { request, caller }: AdmittedExchange,
  service: string,
  { persons, passesAccessTokens }: Upstreams,
): Promise<string | undefined> {
  if (caller.kind !== "user") return undefined;
  if (passesAccessTokens?.() === true) return request.headers.authorization;
  return `Bearer ${await persons.for(caller, service)}`;
}
