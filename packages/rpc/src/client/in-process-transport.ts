import { clone, create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { remoteError } from "../errors/call-error.ts";
import { toCallError } from "../errors/to-call-error.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { ClientTransport } from "./transport.ts";

/** The road to a service in this process: a function call, with messages instead of bytes. */
export function createInProcessTransport(endpoint: () => Endpoint): ClientTransport {
  return {
    async unary(head, request) {
      try {
        return ownAnswer(head.method, await endpoint().call.unary(head, request));
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
    async *stream(head, request) {
      try {
        for await (const message of endpoint().call.stream(head, request)) yield ownAnswer(head.method, message);
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
  };
}

function ownAnswer(method: DescMethod, answer: Record<string, unknown>): Message {
  return clone(method.output, create(method.output, answer));
}
