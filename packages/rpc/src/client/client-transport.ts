import type { Message } from "@bufbuild/protobuf";
import type { OutgoingCall } from "../server/context.ts";

/**
 * Sends a client's calls to their service. A transport gets a request that it may keep, returns messages that its
 * caller may keep, and rejects with `CallError` only.
 */
export interface ClientTransport {
  unary(call: OutgoingCall, request: Message): Promise<Message>;
  stream(call: OutgoingCall, request: Message): AsyncIterable<Message>;
}
