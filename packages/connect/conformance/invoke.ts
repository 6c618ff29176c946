import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type CallOptions, type Client, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createWritableIterable } from "@connectrpc/connect/protocol";
import { appendHeaders, headerValues, requestMessage, requestMessages, toErrorValue } from "./compat-values.ts";
import {
  type ClientCompatRequest,
  type ClientResponseResult,
  ClientResponseResultSchema,
} from "./gen/connectrpc/conformance/v1/client_compat_pb.js";
import { StreamType } from "./gen/connectrpc/conformance/v1/config_pb.js";
import {
  type BidiStreamRequest,
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload,
  ConformancePayloadSchema,
  ConformanceService,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  UnaryRequestSchema,
  UnimplementedRequestSchema,
} from "./gen/connectrpc/conformance/v1/service_pb.js";

type ConformanceClient = Client<typeof ConformanceService>;

/** A call that is made: its request, what is known of its result, and what cancels it. */
interface Call {
  readonly request: ClientCompatRequest;
  readonly options: CallOptions;
  readonly abort: AbortController;
  /** Notes a response, and cancels where the request says so after this one. */
  onResponse(response: { readonly payload?: ConformancePayload | undefined }): void;
  /** Cancels so long after the last request was sent, where the request says so. */
  onRequestsSent(): void;
}

/** Makes the call that the runner asks for (docs/testing_clients.md of the suite), and reports what came of it. */
export async function invoke(transport: Transport, request: ClientCompatRequest): Promise<ClientResponseResult> {
  const result = create(ClientResponseResultSchema);
  const client = createClient(ConformanceService, transport);
  try {
    await makeCall(client, callOf(request, result));
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    result.error = toErrorValue(error);
    // An error does not tell headers from trailers: they are reported as both, where the headers have not come before.
    if (result.responseHeaders.length === 0) result.responseHeaders = headerValues(error.metadata);
    result.responseTrailers = headerValues(error.metadata);
  }
  return result;
}

function callOf(request: ClientCompatRequest, result: ClientResponseResult): Call {
  const abort = new AbortController();
  const timing = request.cancel?.cancelTiming;
  return {
    request,
    abort,
    options: {
      headers: appendHeaders(new Headers(), request.requestHeaders),
      signal: abort.signal,
      onHeader: (headers) => {
        result.responseHeaders = headerValues(headers);
      },
      onTrailer: (trailers) => {
        result.responseTrailers = headerValues(trailers);
      },
    },
    onResponse({ payload }) {
      result.payloads.push(payload ?? create(ConformancePayloadSchema));
      if (timing?.case === "afterNumResponses" && result.payloads.length === timing.value) abort.abort();
    },
    onRequestsSent() {
      if (timing?.case === "beforeCloseSend") abort.abort();
      if (timing?.case === "afterCloseSendMs") setTimeout(() => abort.abort(), timing.value);
    },
  };
}

async function makeCall(client: ConformanceClient, call: Call): Promise<void> {
  const { request, options } = call;
  const { unary, idempotentUnary, unimplemented, serverStream, clientStream, bidiStream } = ConformanceService.method;
  switch (request.method) {
    case unary.name:
      await sleep(request.requestDelayMs);
      call.onRequestsSent();
      return call.onResponse(await client.unary(requestMessage(request, UnaryRequestSchema), options));
    case idempotentUnary.name:
      await sleep(request.requestDelayMs);
      call.onRequestsSent();
      return call.onResponse(
        await client.idempotentUnary(requestMessage(request, IdempotentUnaryRequestSchema), options),
      );
    case unimplemented.name:
      await client.unimplemented(requestMessage(request, UnimplementedRequestSchema), options);
      return;
    case serverStream.name:
      return callServerStream(client, call);
    case clientStream.name:
      return callClientStream(client, call);
    case bidiStream.name:
      return callBidiStream(client, call);
    default:
      throw new Error(`unknown method: ${request.method}`);
  }
}

async function callServerStream(client: ConformanceClient, call: Call): Promise<void> {
  await sleep(call.request.requestDelayMs);
  const responses = client.serverStream(requestMessage(call.request, ServerStreamRequestSchema), call.options);
  const timing = call.request.cancel?.cancelTiming;
  if (timing?.case === "afterCloseSendMs") {
    await sleep(timing.value);
    call.abort.abort();
  }
  for await (const response of responses) call.onResponse(response);
}

async function callClientStream(client: ConformanceClient, call: Call): Promise<void> {
  async function* requests() {
    for (const message of requestMessages(call.request, ClientStreamRequestSchema)) {
      await sleep(call.request.requestDelayMs);
      yield message;
    }
    call.onRequestsSent();
  }
  call.onResponse(await client.clientStream(requests(), call.options));
}

async function callBidiStream(client: ConformanceClient, call: Call): Promise<void> {
  const { request } = call;
  const requests = createWritableIterable<BidiStreamRequest>();
  const responses = client.bidiStream(requests, call.options)[Symbol.asyncIterator]();
  const cancelsBeforeResponses =
    request.cancel?.cancelTiming.case === "afterNumResponses" && request.cancel.cancelTiming.value === 0;
  for (const message of requestMessages(request, BidiStreamRequestSchema)) {
    await sleep(request.requestDelayMs);
    await requests.write(message);
    if (request.streamType !== StreamType.FULL_DUPLEX_BIDI_STREAM) continue;
    if (cancelsBeforeResponses) call.abort.abort();
    const next = await responses.next();
    if (next.done !== true) call.onResponse(next.value);
  }
  const timing = request.cancel?.cancelTiming;
  if (timing?.case === "beforeCloseSend") call.abort.abort();
  requests.close();
  if (timing?.case === "afterCloseSendMs") call.onRequestsSent();
  if (cancelsBeforeResponses) call.abort.abort();
  for (let next = await responses.next(); next.done !== true; next = await responses.next())
    call.onResponse(next.value);
}
