import type { Message } from "@bufbuild/protobuf";
import type { UnaryHooks } from "./hooks.ts";
import type { UnaryCall } from "./unary-call.ts";

/** Decodes the message of a request, after it is checked. Throws what the codec of the official handlers throws. */
export function decodeMessage(call: UnaryCall, message: Uint8Array, { check }: UnaryHooks): Message {
  const bytes = check === undefined ? message : check(call, message);
  return call.unary.serialization.getI(call.isBinary).parse(plainBytes(bytes));
}

/** Fields of bytes are parts of what is decoded: they are to be plain arrays, and no buffers of Node. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes;
}
