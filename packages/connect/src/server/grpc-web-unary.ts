import type { Compression } from "@connectrpc/connect/protocol";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { contentTypeJson, contentTypeProto, trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import { bytesOf } from "../codec/message-codec.ts";
import type { Answer } from "./exchange.ts";
import { envelope, grpc, readOnly, receiveEnvelopes } from "./grpc-unary.ts";
import type { UnaryCall } from "./unary-call.ts";
import type { UnaryProtocol } from "./unary-protocol.ts";

/**
 * Unary calls of gRPC-Web: gRPC, whose trailers are the last envelope of the body:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
 */
export const grpcWeb: UnaryProtocol = {
  ...grpc,
  name: "grpc-web",
  headers: (isBinary, compression) => ({
    ...grpc.headers(isBinary, compression),
    "content-type": isBinary ? contentTypeProto : contentTypeJson,
  }),
  receive: (call, hooks) => receiveEnvelopes(call, hooks, trailerFlag),
  read: (call, body, compression, hooks) => readOnly(call, body, { compression, hooks, skippedFlag: trailerFlag }),
  async write(call, message, compression) {
    const first = await envelope(call, { flags: 0, data: bytesOf(message) }, compression);
    return answer(call, first, compression);
  },
  writeError(call, error, compression) {
    setTrailerStatus(call.responseTrailer, error);
    return answer(call, undefined, compression);
  },
};

async function answer(
  call: UnaryCall,
  message: Uint8Array | undefined,
  compression: Compression | null,
): Promise<Answer> {
  const lines = Object.entries(call.trailerFields()).map(
    ([name, value]) => `${name}: ${[value].flat().join(", ")}\r\n`,
  );
  const trailers = await envelope(call, { flags: trailerFlag, data: Buffer.from(lines.join("")) }, compression);
  const body = message === undefined ? trailers : Buffer.concat([message, trailers]);
  const headers = call.headerFields();
  headers["content-length"] = `${body.byteLength}`;
  return { status: 200, headers, body };
}
