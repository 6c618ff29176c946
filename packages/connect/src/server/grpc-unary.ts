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
import { decodeMessage } from "./decode-message.ts";
import { textOf } from "./fields.ts";
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
  parseTimeout,
  requestEncoding: ({ headers }) => textOf(headers["grpc-encoding"]),
  headers: (isBinary, compression) => ({
    "content-type": isBinary ? contentTypeProto : contentTypeJson,
    ...(compression !== null && { "grpc-encoding": compression.name }),
  }),
  trailers: () => ({ "grpc-status": grpcStatusOk }),
  assertHead: () => undefined,
  read: (call, compression, hooks) => readOnly(call, compression, hooks, 0),
  async write(call, message, compression) {
    const body = await envelope(call, { flags: 0, data: message }, compression);
    return { status: 200, headers: call.headerFields(), body, trailers: call.trailerFields() };
  },
  async writeError(call, error) {
    setTrailerStatus(call.responseTrailer, error);
    return { status: 200, headers: call.headerFields(), trailers: call.trailerFields() };
  },
};

/** The bytes of an envelope, compressed where it is large enough. */
export async function envelope(
  call: UnaryCall,
  message: { readonly flags: number; readonly data: Uint8Array },
  compression: Compression | null,
): Promise<Uint8Array> {
  const { compressMinBytes } = call.unary.options;
  if (compression === null || message.data.byteLength < compressMinBytes) {
    return encodeEnvelope(message.flags, message.data);
  }
  const { flags, data } = await envelopeCompress(message, compression, compressMinBytes);
  return encodeEnvelope(flags, data);
}

/**
 * Reads the one message of a request. What is wrong is told in the order in which the official handler finds it: the
 * lengths, the first message, a second one, and bytes that are no whole envelope.
 */
export async function readOnly(
  call: UnaryCall,
  compression: Compression | null,
  hooks: UnaryHooks,
  skippedFlag: number,
): Promise<Message> {
  const { readMaxBytes } = call.unary.options;
  const body = await (hooks.receive?.(call) ?? readEnvelopes(call.exchange.body, readMaxBytes, skippedFlag));
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
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  while (body.byteLength - at >= envelopeHeadBytes) {
    const size = view.getUint32(at + 1);
    if (size > bytesMax) throw tooLarge(bytesMax, size);
    if (envelopes.length === envelopesMax) throw protocolError("received more envelopes than a unary call has");
    const end = at + envelopeHeadBytes + size;
    if (end > body.byteLength) break;
    envelopes.push({ flags: view.getUint8(at), data: body.subarray(at + envelopeHeadBytes, end) });
    at = end;
  }
  return { envelopes, isWhole: at === body.byteLength };
}
