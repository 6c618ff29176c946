import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type UnaryResponse } from "@connectrpc/connect";
import { createMethodSerializationLookup, createMethodUrl, runUnaryCall } from "@connectrpc/connect/protocol";
import { createDeadlineWheel } from "@rialto/async";
import type { HttpClient } from "@rialto/http";
import { createHttp1Client } from "@rialto/http";
import { toFields, toWebHeaders } from "../headers/web-headers.ts";
import { createConnectProtocol } from "./connect-protocol.ts";
import { createGrpcProtocol } from "./grpc-protocol.ts";
import { createGrpcWebProtocol } from "./grpc-web-protocol.ts";
import { createHttp2Client } from "./http2-client.ts";
import { type ClosableTransport, createOfficialTransport } from "./official-transport.ts";
import type { GivenHeaders } from "./request-fields.ts";
import { correctStreams, withHandledRejection } from "./stream-corrections.ts";
import { type ResolvedOptions, resolveOptions, type TransportOptions } from "./transport-options.ts";
import { type CallBounds, UnaryCall } from "./unary-call.ts";
import type { RequestHead, UnaryMethod, UnaryProtocol } from "./unary-protocol.ts";

/**
 * Creates a transport for clients of connect-es: Connect, gRPC or gRPC-Web, over HTTP/1.1 or HTTP/2. It means what the
 * official transports mean: the same options, interceptors, errors and metadata.
 *
 * Streams go by the official transports, over connections of their own. Unary calls go by a shorter way: no web
 * headers, streams or timers are made for a call, and its request leaves in one write. They may notice a deadline some
 * milliseconds late. With `stock`, all goes by the official transports.
 */
export function createTransport(options: TransportOptions): ClosableTransport {
  const o = resolveOptions(options);
  if (o.stock === true) return createOfficialTransport(o);
  const official = createOfficialTransport({ ...o, interceptors: [...o.interceptors, correctStreams] });
  const client = createClient(o);
  const callUnary = createUnary(o, client, protocols[o.protocol](o));
  return {
    // The method's descriptor carries the types of its messages; inside, a call is about any message.
    unary: callUnary as ClosableTransport["unary"],
    stream: withHandledRejection(official.stream),
    close: async () => {
      await Promise.all([client.close(), official.close()]);
    },
  };
}

function createClient(o: ResolvedOptions): HttpClient {
  if (o.httpVersion === "1.1") return createHttp1Client(o);
  return createHttp2Client({ ...o, origin: new URL(o.baseUrl).origin, connectionsMax: o.connectionsMax ?? 1 });
}

const protocols: Readonly<Record<TransportOptions["protocol"], (o: ResolvedOptions) => UnaryProtocol>> = {
  connect: createConnectProtocol,
  grpc: createGrpcProtocol,
  "grpc-web": createGrpcWebProtocol,
};

function createUnary(o: ResolvedOptions, client: HttpClient, protocol: UnaryProtocol) {
  const deadlines = createDeadlineWheel();
  const methodOf = createMethods(o);

  /** Sends one request. Its signal and its timeout are those of `bounds`. */
  function send(method: UnaryMethod, head: RequestHead, init: MessageInitShape<DescMessage>, bounds: CallBounds) {
    const bytes = method.serialize(create(method.desc.input, init));
    const call = new UnaryCall(method, protocol.createReader(method), bounds, deadlines);
    const request = protocol.write(method, head, bytes);
    if (request instanceof Promise)
      request.then(
        (written) => call.send(client, written),
        (error: unknown) => call.onError(error),
      );
    else call.send(client, request);
    return call.response;
  }

  /** With interceptors, a call is what they take and give: web headers and a signal. */
  function sendIntercepted(
    method: UnaryMethod,
    { signal, timeoutMs }: CallBounds,
    header: Headers,
    message: MessageInitShape<DescMessage>,
    contextValues: ContextValues,
  ): Promise<UnaryResponse> {
    const { desc, url } = method;
    const req = { stream: false, service: desc.parent, method: desc, requestMethod: "POST", url, header } as const;
    return runUnaryCall({
      interceptors: o.interceptors,
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      req: { ...req, contextValues, message },
      next: async (request) => {
        const { origin, pathname, search } = new URL(request.url);
        const head = { origin, path: `${pathname}${search}`, fields: toFields(request.header) };
        const bounds = { signal: request.signal, timeoutMs: undefined };
        const response = await send(method, head, request.message, bounds);
        // Interceptors spread responses, which getters do not survive.
        return { ...response, service: desc.parent, header: response.header, trailer: response.trailer };
      },
    });
  }

  return async (
    desc: DescMethodUnary,
    signal: AbortSignal | undefined,
    givenMs: number | undefined,
    given: GivenHeaders,
    init: MessageInitShape<DescMessage>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse> => {
    const method = methodOf(desc);
    const timeoutMs = givenMs === undefined ? o.defaultTimeoutMs : givenMs <= 0 ? undefined : givenMs;
    const fields = protocol.requestFields(timeoutMs, given);
    const bounds = { signal, timeoutMs };
    if (o.interceptors.length === 0)
      return send(method, { origin: method.origin, path: method.path, fields }, init, bounds);
    return sendIntercepted(method, bounds, toWebHeaders(fields), init, contextValues ?? createContextValues());
  };
}

/** Keeps what is the same for all calls of a method. */
function createMethods(o: ResolvedOptions): (desc: DescMethodUnary) => UnaryMethod {
  const methods = new WeakMap<DescMethodUnary, UnaryMethod>();
  return (desc) => {
    const known = methods.get(desc);
    if (known !== undefined) return known;
    const url = createMethodUrl(o.baseUrl, desc);
    const { origin, pathname } = new URL(url);
    const lookup = createMethodSerializationLookup(desc, o.binaryOptions, o.jsonOptions, o);
    const { serialize } = lookup.getI(o.useBinaryFormat);
    const { parse } = lookup.getO(o.useBinaryFormat);
    const method = { desc, url, origin, path: pathname, serialize, parse };
    methods.set(desc, method);
    return method;
  };
}
