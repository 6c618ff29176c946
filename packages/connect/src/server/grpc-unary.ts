import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Compression,
  compressedFlag,
  type EnvelopedMessage,
  encodeEnvelope,
  envelopeCompress,
  envelopeDecompress,
} from "@connectrpc/connect/protocol";
import {
  contentTypeJson,
  contentTypeProto,
  grpcStatusOk,
  headerAcceptEncoding,
  parseTimeout,
  setTrailerStatus,
} from "@connectrpc/connect/protocol-grpc";
import { bytesOf } from "../codec/message-codec.ts";
import { headerText } from "../headers/web-headers.ts";
import { decodeMessage } from "./decode-message.ts";
import type { Answer } from "./exchange.ts";
import type { UnaryHooks } from "./hooks.ts";
import { envelopeHeadBytes, envelopesMax, readEnvelopes, tooLarge } from "./read-body.ts";
import type { UnaryCall } from "./unary-call.ts";
import type { UnaryProtocol } from "./unary-protocol.ts";

/**
 * Unary calls of gRPC, over either version of HTTP. An error is a head and trailers, as the official handler writes it:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export const grpc: UnaryProtocol = {
  name: "grpc",
  timeoutHeader: "grpc-timeout",
  acceptEncodingHeader: headerAcceptEncoding,
  acceptEncodingField: headerAcceptEncoding.toLowerCase(),
  parseTimeout,
  requestEncoding: ({ headers }) => headerText(headers["grpc-encoding"]),
  headers: (isBinary, compression) => ({
    "content-type": isBinary ? contentTypeProto : contentTypeJson,
    ...(compression !== null && { "grpc-encoding": compression.name }),
  }),
  trailers: () => ({ "grpc-status": grpcStatusOk }),
  assertHead: () => undefined,
  receive: (call, hooks) => receiveEnvelopes(call, hooks, 0),
  read: (call, body, compression, hooks) => readOnly(call, body, { compression, hooks, skippedFlag: 0 }),
  write(call, message, compression) {
    const answer = (body: Uint8Array): Answer => {
      return { status: 200, headers: call.headerFields(), body, trailers: call.trailerFields() };
    };
    const body = envelope(call, { flags: 0, data: bytesOf(message) }, compression);
    return body instanceof Promise ? body.then(answer) : answer(body);
  },
  writeError(call, error) {
    setTrailerStatus(call.responseTrailer, error);
    return { status: 200, headers: call.headerFields(), trailers: call.trailerFields() };
  },
};

/** The bytes of an envelope, compressed where it is large enough. */
export function envelope(
  call: UnaryCall,
  message: { readonly flags: number; readonly data: Uint8Array },
  compression: Compression | null,
): Uint8Array | Promise<Uint8Array> {
  const { compressMinBytes } = call.unary.options;
  if (compression === null || message.data.byteLength < compressMinBytes) {
    return encodeEnvelope(message.flags, message.data);
  }
  return envelopeCompress(message, compression, compressMinBytes).then(({ flags, data }) =>
    encodeEnvelope(flags, data),
  );
}

/** Receives the envelopes of a request. Those with `skippedFlag` are no messages. */
export function receiveEnvelopes(
  call: UnaryCall,
  hooks: UnaryHooks,
  skippedFlag: number,
): Uint8Array | Promise<Uint8Array> {
  return hooks.receive?.(call) ?? readEnvelopes(call.exchange, call.unary.options.readMaxBytes, skippedFlag);
}

interface ReadOptions {
  readonly compression: Compression | null;
  readonly hooks: UnaryHooks;
  /** Of envelopes that are no messages. */
  readonly skippedFlag: number;
}

/** Reads the one message of a request. */
export function readOnly(call: UnaryCall, body: Uint8Array, o: ReadOptions): Message | Promise<Message> {
  const message = plainMessage(body, call.unary.options.readMaxBytes);
  return message === undefined ? readAny(call, body, o) : decodeMessage(call, message, o.hooks);
}

/** The message of a body that is one whole envelope without flags, as nearly all are. */
function plainMessage(body: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const size = body.byteLength - envelopeHeadBytes;
  if (size < 0 || size > bytesMax || body[0] !== 0 || sizeAt(body, 1) !== size) return undefined;
  return body.subarray(envelopeHeadBytes);
}

/** Four bytes, the first of which weighs most. */
function sizeAt(body: Uint8Array, at: number): number {
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(at);
}

/**
 * What is wrong with a body is told in the order in which the official handler finds it: the lengths, the first
 * message, a second one, and bytes that are no whole envelope.
 */
async function readAny(
  call: UnaryCall,
  body: Uint8Array,
  { compression, hooks, skippedFlag }: ReadOptions,
): Promise<Message> {
  const { readMaxBytes } = call.unary.options;
  const { envelopes, isWhole } = split(body, readMaxBytes);
  let only: Message | undefined;
  for (const one of envelopes) {
    const isCompressed = (one.flags & compressedFlag) !== 0;
    // What is skipped costs no decompression. In an unknown one it is refused all the same.
    if ((one.flags & skippedFlag) !== 0 && !(isCompressed && compression === null)) continue;
    const { data } = isCompressed ? await envelopeDecompress(one, compression, readMaxBytes) : one;
    const message = decodeMessage(call, data, hooks);
    if (only !== undefined) throw protocolError("received extra input message for unary method");
    only = message;
  }
  if (!isWhole) throw new ConnectError("protocol error: incomplete envelope", Code.InvalidArgument);
  if (only === undefined) throw protocolError("missing input message for unary method");
  return only;
}

function protocolError(message: string): ConnectError {
  return new ConnectError(`protocol error: ${message}`, Code.Unimplemented);
}

function split(body: Uint8Array, bytesMax: number) {
  const envelopes: EnvelopedMessage[] = [];
  let at = 0;
  while (body.byteLength - at >= envelopeHeadBytes) {
    const size = sizeAt(body, at + 1);
    if (size > bytesMax) throw tooLarge(bytesMax, size);
    if (envelopes.length === envelopesMax) throw protocolError("received more envelopes than a unary call has");
    const end = at + envelopeHeadBytes + size;
    if (end > body.byteLength) break;
    envelopes.push({ flags: body[at] ?? 0, data: body.subarray(at + envelopeHeadBytes, end) });
    at = end;
  }
  return { envelopes, isWhole: at === body.byteLength };
}
