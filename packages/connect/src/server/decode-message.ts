import type { Message } from "@bufbuild/protobuf";
import type { UnaryHooks } from "./hooks.ts";
import type { UnaryCall } from "./unary-call.ts";

/** Decodes the message of a request, after it is checked. Throws what the codec of the official handlers throws. */
export function decodeMessage(call: UnaryCall, message: Uint8Array, { check }: UnaryHooks): Message {
  const bytes = check === undefined ? message : check(call, message);
  return call.unary.codecs.input(call.isBinary).parse(bytes);
}
