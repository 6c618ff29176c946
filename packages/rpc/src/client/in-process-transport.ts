import { clone, create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { remoteError } from "../errors/call-error.ts";
import { toCallError } from "../errors/to-call-error.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { ClientTransport } from "./client-transport.ts";

/**
 * Creates the transport of one caller to a service in this process: a function call, with messages instead of bytes,
 * and with the caller's name instead of its token.
 */
export function createInProcessTransport(endpoint: () => Endpoint, caller: string): ClientTransport {
  return {
    async unary(call, request) {
      try {
        return copyOf(call.method, await endpoint().callsOf(caller).unary(call, request));
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
    async *stream(call, request) {
      try {
        for await (const message of endpoint().callsOf(caller).stream(call, request))
          yield copyOf(call.method, message);
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
  };
}

function copyOf(method: DescMethod, answer: Record<string, unknown>): Message {
  return clone(method.output, create(method.output, answer));
}
