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
import { bytesOf, type Encoded } from "../codec/message-codec.ts";
import { headerText } from "../headers/web-headers.ts";
import { decodeMessage } from "./decode-message.ts";
import type { Answer } from "./exchange.ts";
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
  acceptEncodingField: headerUnaryAcceptEncoding.toLowerCase(),
  parseTimeout,
  requestEncoding: ({ headers }) => headerText(headers["content-encoding"]),
  headers: (isBinary) => ({ "content-type": isBinary ? contentTypeUnaryProto : contentTypeUnaryJson }),
  trailers: () => ({}),
  assertHead(call) {
    if (!call.unary.options.requireConnectProtocolHeader) return;
    const name = headerProtocolVersion;
    const version = call.header("connect-protocol-version");
    if (version === null) throw refused(`missing required header: set ${name} to "${protocolVersion}"`);
    if (version !== protocolVersion) throw refused(`${name} must be "${protocolVersion}": got "${version}"`);
  },
  receive(call, hooks) {
    return hooks.receive?.(call) ?? readBody(call.exchange, call.unary.options.readMaxBytes);
  },
  read(call, body, compression, hooks) {
    if (compression === null) return decodeMessage(call, body, hooks);
    const plain = compression.decompress(body, call.unary.options.readMaxBytes);
    return plain.then((message) => decodeMessage(call, message, hooks));
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
    receive() {
      const message = query.get("message") ?? "";
      return query.get("base64") === "1" ? base64Decode(message) : Buffer.from(message);
    },
  };
}

function answer(
  call: UnaryCall,
  status: number,
  message: Encoded,
  compression: Compression | null,
): Answer | Promise<Answer> {
  if (compression === null || message.length < call.unary.options.compressMinBytes) {
    return withTrailers(call, status, message);
  }
  return compression.compress(bytesOf(message)).then((body) => {
    call.setHeader("content-encoding", compression.name);
    return withTrailers(call, status, body);
  });
}

/** A unary answer of Connect has its trailers among its headers. */
function withTrailers(call: UnaryCall, status: number, body: Encoded): Answer {
  const headers = call.headerFields();
  const trailers = call.trailerFields();
  for (const name of Object.keys(trailers)) {
    const muxed = `trailer-${name}`;
    headers[muxed] = [headers[muxed] ?? [], trailers[name] ?? []].flat().join(", ");
  }
  headers["content-length"] = `${body.length}`;
  return { status, headers, body };
}

function refused(message: string): ConnectError {
  return new ConnectError(message, Code.InvalidArgument);
}
