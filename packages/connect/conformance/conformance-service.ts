import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { appendHeaders, headerValues, toConnectError } from "./compat-values.ts";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  ConformancePayloadSchema,
  type ConformanceService,
  type Error as ErrorValue,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service_pb.js";

/** The longest timeout that a case of the suite has. What a proxy gives to a call without one is longer. */
const timeoutMsMax = 4_000;

/**
 * What the suite asks of a server (its docs/testing_servers.md): each request says in its response definition how it is
 * answered, and the first response echoes what was received.
 */
export const conformanceService: Omit<ServiceImpl<typeof ConformanceService>, "unimplemented"> = {
  unary: (request, context) => answerOnce(request.responseDefinition, [anyPack(UnaryRequestSchema, request)], context),
  idempotentUnary: (request, context) =>
    answerOnce(request.responseDefinition, [anyPack(IdempotentUnaryRequestSchema, request)], context),
  async clientStream(requests, context) {
    let definition: UnaryResponseDefinition | undefined;
    const received: Any[] = [];
    for await (const request of requests) {
      definition ??= request.responseDefinition;
      received.push(anyPack(ClientStreamRequestSchema, request));
    }
    return answerOnce(definition, received, context);
  },
  async *serverStream(request, context) {
    const definition = request.responseDefinition;
    setHeaders(definition, context);
    const info = requestInfo(context, [anyPack(ServerStreamRequestSchema, request)]);
    yield* answerFrom(0, definition, info);
  },
  async *bidiStream(requests, context) {
    let definition: StreamResponseDefinition | undefined;
    let isFullDuplex = false;
    let answered = 0;
    let received: Any[] = [];
    for await (const request of requests) {
      if (definition === undefined) {
        definition = request.responseDefinition;
        setHeaders(definition, context);
        isFullDuplex = request.fullDuplex;
      }
      received.push(anyPack(BidiStreamRequestSchema, request));
      if (!isFullDuplex) continue;
      const data = definition?.responseData[answered];
      if (data === undefined) break;
      await sleep(definition?.responseDelayMs);
      yield { payload: payload(requestInfo(context, received), data) };
      answered += 1;
      received = [];
    }
    yield* answerFrom(answered, definition, requestInfo(context, received));
  },
};

async function answerOnce(
  definition: UnaryResponseDefinition | undefined,
  received: readonly Any[],
  context: HandlerContext,
) {
  setHeaders(definition, context);
  const info = requestInfo(context, received);
  if (definition?.response.case === "error") throw withInfo(definition.response.value, info);
  await sleep(definition?.responseDelayMs);
  return { payload: payload(info, definition?.response.value) };
}

/** The responses from `first` on, then the error where one is asked for. */
async function* answerFrom(
  first: number,
  definition: StreamResponseDefinition | undefined,
  info: ConformancePayload_RequestInfo,
) {
  if (definition === undefined) return;
  for (const [at, data] of definition.responseData.entries()) {
    if (at < first) continue;
    await sleep(definition.responseDelayMs);
    yield { payload: payload(at === 0 ? info : undefined, data) };
  }
  if (definition.error === undefined) return;
  throw definition.responseData.length === 0 ? withInfo(definition.error, info) : toConnectError(definition.error);
}

function setHeaders(
  definition: UnaryResponseDefinition | StreamResponseDefinition | undefined,
  { responseHeader, responseTrailer }: HandlerContext,
): void {
  appendHeaders(responseHeader, definition?.responseHeaders ?? []);
  appendHeaders(responseTrailer, definition?.responseTrailers ?? []);
}

function requestInfo(context: HandlerContext, requests: readonly Any[]): ConformancePayload_RequestInfo {
  const timeoutMs = context.timeoutMs();
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: headerValues(context.requestHeader),
    requests: [...requests],
    ...(timeoutMs === undefined || timeoutMs > timeoutMsMax ? {} : { timeoutMs: BigInt(Math.trunc(timeoutMs)) }),
  });
}

function payload(info: ConformancePayload_RequestInfo | undefined, data: Uint8Array | undefined) {
  return create(ConformancePayloadSchema, {
    ...(info === undefined ? {} : { requestInfo: info }),
    ...(data === undefined ? {} : { data }),
  });
}

/** An error that comes before any response has the request in its details. */
function withInfo(error: ErrorValue, info: ConformancePayload_RequestInfo) {
  return toConnectError({ ...error, details: [...error.details, anyPack(ConformancePayload_RequestInfoSchema, info)] });
}
