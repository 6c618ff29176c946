import type { Message } from "@bufbuild/protobuf";
import type { CallHead } from "../server/pipeline.ts";

/**
 * How a client's calls reach their service. A road is given a request that nobody else holds, gives back answers that
 * nobody else holds, and throws `CallError` and nothing else.
 */
export interface ClientTransport {
  unary(head: CallHead, request: Message): Promise<Message>;
  stream(head: CallHead, request: Message): AsyncIterable<Message>;
}
