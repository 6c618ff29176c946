import { clone, create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { remoteError } from "../errors/call-error.ts";
import { toCallError } from "../errors/to-call-error.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { CallHead } from "../server/pipeline.ts";

/**
 * Sends a client's calls to their service. A transport gets a request that it may keep, returns messages that its
 * caller may keep, and rejects with `CallError` only.
 */
export interface ClientTransport {
  unary(head: CallHead, request: Message): Promise<Message>;
  stream(head: CallHead, request: Message): AsyncIterable<Message>;
}

/** Creates the transport to a service in this process: a function call, with messages instead of bytes. */
export function createInProcessTransport(endpoint: () => Endpoint): ClientTransport {
  return {
    async unary(head, request) {
      try {
        return copyOf(head.method, await endpoint().call.unary(head, request));
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
    async *stream(head, request) {
      try {
        for await (const message of endpoint().call.stream(head, request)) yield copyOf(head.method, message);
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
  };
}

function copyOf(method: DescMethod, answer: Record<string, unknown>): Message {
  return clone(method.output, create(method.output, answer));
}
