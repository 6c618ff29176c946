import type { DescMessage, Message } from "@bufbuild/protobuf";
import { deepFrozen } from "@rialto/database";
import { isShared } from "../answers/shared-answer.ts";
import { remoteError } from "../errors/call-error.ts";
import { toCallError } from "../errors/to-call-error.ts";
import type { Endpoint, TypedCalls } from "../server/endpoint.ts";
import { assertUnchanged } from "./checked-message.ts";
import type { ClientTransport } from "./client-transport.ts";
import { ownCopy } from "./own-copy.ts";

/** A service in this process. */
export interface LocalTarget {
  /** Looked up at each call. */
  readonly endpoint: () => Endpoint;
  /**
   * Throws where a message is not what would arrive over the network, and freezes one that others get as well. For
   * tests.
   */
  readonly checksMessages?: boolean;
}

/**
 * Creates the transport of one caller to a service in this process: a function call, with messages instead of bytes,
 * and with the caller's name instead of its token. The answer is copied once: its handler may keep what it returned.
 * `messageOf` makes that copy.
 */
export function createInProcessTransport(
  target: LocalTarget,
  caller: string,
  messageOf: typeof ownCopy = ownCopy,
): ClientTransport {
  const { endpoint, checksMessages = false } = target;
  let bound: { readonly to: Endpoint; readonly calls: TypedCalls } | undefined;
  const calls = (): TypedCalls => {
    const to = endpoint();
    if (bound?.to !== to) bound = { to, calls: to.callsOf(caller) };
    return bound.calls;
  };
  const check = (schema: DescMessage, message: Message): Message => {
    if (!checksMessages) return message;
    assertUnchanged(schema, message);
    return isShared(message) ? deepFrozen(message) : message;
  };
  return {
    async unary(call, request) {
      const { input, output } = call.method;
      try {
        const answer = await calls().unary(call, check(input, request));
        return check(output, messageOf(output, answer));
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
    async *stream(call, request) {
      const { input, output } = call.method;
      try {
        const answers = calls().stream(call, check(input, request));
        for await (const answer of answers) yield check(output, ownCopy(output, answer));
      } catch (error) {
        throw remoteError(toCallError(error));
      }
    },
  };
}
