import type { DescMethod } from "@bufbuild/protobuf";
import {
  beginClientSpan,
  isSafeToRetry,
  nodeHeaders,
  requestSizeOf,
  type WholeAnswer,
  writeNodeResponse,
} from "@rialto/rpc";
import type { RecordedSpan } from "@rialto/telemetry";
import type { InFlightRequest } from "../admission/in-flight-request.ts";
import { procedureOf, upstreamNameOf } from "../contract.ts";
import { bodyBytesMaxOf, bodyOf } from "../exchange/body.ts";
import type { AdmittedExchange } from "../exchange/exchange.ts";
import { fieldsInward, fieldsOutward, passedNames } from "../upstream/request-headers.ts";
import { runForwarding } from "../upstream/run-forwarding.ts";
import { tokensOf, type Upstreams } from "../upstream/upstream.ts";
import { isPlainUnary } from "./procedures.ts";
import { codeIn, recordGrpc } from "./response-code.ts";

/** Forwards a unary call of Connect or gRPC-Web as bytes, and its answer as a whole. */
export type ForwardUnary = (exchange: AdmittedExchange, method: DescMethod, inFlight: InFlightRequest) => Promise<void>;

/** Whether a call goes this way: not a stream, not gRPC, which needs HTTP/2, and not gRPC-Web's text mode. */
export function isForwardedWhole({ methodKind }: DescMethod, contentType: string | undefined): boolean {
  if (methodKind !== "unary") return false;
  return contentType === undefined || isPlainUnary(contentType) || wholeTypes.test(contentType);
}

/** `requireRpc` has seen the content type: what is neither kind of gRPC is Connect. */
const wholeTypes = /^(?!\s*application\/grpc([+;\s]|$))(?!\s*application\/grpc-web-text([+;\s]|$))/i;

/** What is looked up once for a method. */
interface Target {
  readonly service: string;
  readonly procedure: string;
  readonly bytesMax: number;
}

/**
 * Creates the forwarding of unary calls to their services over HTTP/1.1. An answer is received whole before its head is
 * sent, and goes to the client in one write where it fits. A client that disconnects cancels the call.
 */
export function createForwardUnary(upstreams: Upstreams): ForwardUnary {
  const { baggageNames } = upstreams;
  const names = passedNames(upstreams.passedHeaders);
  const targets = new Map<DescMethod, Target>();
  const targetOf = (method: DescMethod): Target => {
    const known = targets.get(method);
    if (known !== undefined) return known;
    const target: Target = {
      service: upstreamNameOf(method),
      procedure: procedureOf(method),
      bytesMax: bodyBytesMaxOf(requestSizeOf(method)),
    };
    targets.set(method, target);
    return target;
  };
  const forwardOnce = async (
    exchange: AdmittedExchange,
    method: DescMethod,
    inFlight: InFlightRequest,
    span: RecordedSpan | undefined,
  ): Promise<void> => {
    const { request, query, disconnected: canceled } = exchange;
    const { service, procedure, bytesMax } = targetOf(method);
    const signed = tokensOf(exchange, service, upstreams);
    // A body that came with its head is here when promises have settled.
    const tokens = await signed;
    const fields = fieldsInward(exchange, tokens, { names, baggageNames, span });
    const answer = await upstreams.upstream(service).call(
      {
        verb: request.method ?? "POST",
        path: procedure + plainQuery(query),
        fields,
        receive: () => inFlight.receive(bytesMax, { service, isStream: false }),
      },
      { isSafe: isSafeToRetry(method, nodeHeaders(fields)), canceled },
    );
    const sent = send(exchange, answer);
    if (sent !== undefined) await sent;
  };
  return (exchange, method, inFlight) => {
    const span = beginClientSpan(method);
    if (span === undefined) return forwardOnce(exchange, method, inFlight, undefined);
    return runForwarding(span, exchange, () => forwardOnce(exchange, method, inFlight, span));
  };
}

/**
 * Returns a query as HTTP/1.1 may carry it: HTTP/2 lets bytes through that are no characters of a URL. A fragment is
 * not the server's.
 */
function plainQuery(query: string): string {
  return query === "" || /^[!-"$-~]*$/.test(query) ? query : new URL(query, "http://gateway").search;
}

/** Sends an answer, and records its code for the access log. */
function send(exchange: AdmittedExchange, answer: WholeAnswer): Promise<void> | undefined {
  if (exchange.isOver) return undefined;
  const { record, writeTimeout } = exchange;
  const { status, body, trailers } = answer;
  record.code ??= codeIn(body, status, answer.fields["content-type"]);
  recordGrpc(record, answer.fields["grpc-status"], trailers["grpc-status"]);
  const fields = fieldsOutward(answer.fields);
  if (isEmpty(trailers)) {
    exchange.send(status, fields, body);
    return undefined;
  }
  const head = { status, header: new Headers(fields), trailer: new Headers(fieldsOutward(trailers)) };
  return writeNodeResponse({ ...head, body: bodyOf(body) }, exchange.response, writeTimeout);
}

function isEmpty(fields: WholeAnswer["trailers"]): boolean {
  for (const _ in fields) return false;
  return true;
}
