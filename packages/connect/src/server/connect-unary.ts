import type { Message } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Compression, mergeNonProtocolHeaders } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  contentTypeUnaryJson,
  contentTypeUnaryProto,
  errorToJsonBytes,
  headerProtocolVersion,
  headerUnaryAcceptEncoding,
  parseTimeout,
  protocolVersion,
} from "@connectrpc/connect/protocol-connect";
import { decodeMessage } from "./decode-message.ts";
import type { Answer } from "./exchange.ts";
import { textOf } from "./fields.ts";
import type { UnaryHooks } from "./hooks.ts";
import { readBody } from "./read-body.ts";
import type { UnaryCall } from "./unary-call.ts";
import type { UnaryProtocol } from "./unary-protocol.ts";

// Unary calls of Connect: https://connectrpc.com/docs/protocol#unary-request. A GET has in its query what a POST has in
// its head and its body.

/** Connect by POST. */
export const connectPost: UnaryProtocol = {
  name: "connect",
  timeoutHeader: "connect-timeout-ms",
  acceptEncodingHeader: headerUnaryAcceptEncoding,
  parseTimeout,
  requestEncoding: ({ headers }) => textOf(headers["content-encoding"]),
  headers: (isBinary) => ({ "content-type": isBinary ? contentTypeUnaryProto : contentTypeUnaryJson }),
  trailers: () => ({}),
  assertHead(call) {
    if (!call.unary.options.requireConnectProtocolHeader) return;
    const name = headerProtocolVersion;
    const version = call.header("connect-protocol-version");
    if (version === null) throw refused(`missing required header: set ${name} to "${protocolVersion}"`);
    if (version !== protocolVersion) throw refused(`${name} must be "${protocolVersion}": got "${version}"`);
  },
  async read(call, compression, hooks) {
    const { readMaxBytes } = call.unary.options;
    const { body, headers } = call.exchange;
    const bytes = await (hooks.receive?.(call) ?? readBody(body, headers["content-length"], readMaxBytes));
    return decode(call, bytes, compression, hooks);
  },
  write: (call, message, compression) => answer(call, 200, message, compression),
  writeError(call, error, compression) {
    call.setHeader("content-type", contentTypeUnaryJson);
    // What is known from the wire about another call's error is not this one's.
    if (!error.isWireError) mergeNonProtocolHeaders(call.responseHeader, error.metadata);
    const json = errorToJsonBytes(error, call.unary.options.jsonOptions);
    return answer(call, codeToHttpStatus(error.code), json, compression);
  },
};

/** Connect by GET, for methods without side effects. */
export function connectGet(query: URLSearchParams): UnaryProtocol {
  return {
    ...connectPost,
    requestEncoding: () => query.get("compression"),
    assertHead(call) {
      if (!call.unary.options.requireConnectProtocolHeader) return;
      const version = query.get("connect");
      if (version === null) throw refused(`missing required parameter: set connect to "v${protocolVersion}"`);
      if (version !== `v${protocolVersion}`) throw refused(`connect must be "v${protocolVersion}": got "${version}"`);
    },
    async read(call, compression, hooks) {
      const message = query.get("message") ?? "";
      const bytes = query.get("base64") === "1" ? base64Decode(message) : Buffer.from(message);
      return decode(call, bytes, compression, hooks);
    },
  };
}

async function decode(
  call: UnaryCall,
  bytes: Uint8Array,
  compression: Compression | null,
  hooks: UnaryHooks,
): Promise<Message> {
  if (compression === null) return decodeMessage(call, bytes, hooks);
  return decodeMessage(call, await compression.decompress(bytes, call.unary.options.readMaxBytes), hooks);
}

async function answer(
  call: UnaryCall,
  status: number,
  message: Uint8Array,
  compression: Compression | null,
): Promise<Answer> {
  let body = message;
  if (compression !== null && message.byteLength >= call.unary.options.compressMinBytes) {
    body = await compression.compress(message);
    call.setHeader("content-encoding", compression.name);
  }
  const headers = call.headerFields();
  // A unary answer of Connect has its trailers among its headers.
  const trailers = call.trailerFields();
  for (const name of Object.keys(trailers)) {
    const muxed = `trailer-${name}`;
    headers[muxed] = [headers[muxed] ?? [], trailers[name] ?? []].flat().join(", ");
  }
  headers["content-length"] = `${body.byteLength}`;
  return { status, headers, body };
}

function refused(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
