import { clone, create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { callErrorOf } from "../errors/call-error.ts";
import { refusalOf } from "../errors/failure.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { Road } from "./transport.ts";

/** The road to a service in this process: a function call, with messages instead of bytes. */
export function createLocalRoad(endpoint: () => Endpoint): Road {
  return {
    async unary(head, request) {
      try {
        return ownAnswer(head.method, await endpoint().call.unary(head, request));
      } catch (error) {
        throw callErrorOf(refusalOf(error));
      }
    },
    async *stream(head, request) {
      try {
        for await (const message of endpoint().call.stream(head, request)) yield ownAnswer(head.method, message);
      } catch (error) {
        throw callErrorOf(refusalOf(error));
      }
    },
  };
}

function ownAnswer(method: DescMethod, answer: Record<string, unknown>): Message {
  return clone(method.output, create(method.output, answer));
}
