import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { abortSignalOf } from "@rialto/async";
import { isSafeToRetry } from "../server/idempotency.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { nodeHeaders } from "../wire/call-headers.ts";
import { connectTimeoutHeader } from "../wire/wire-protocol.ts";
import { createOfficialTransport } from "./official-transport.ts";
import type { UnaryRequest } from "./unary-wire.ts";

/** The same as `createUnaryWire`, by the official transport, for tests that ask for it (`isStockPath`). */
export function createStockUnaryWire(upstream: Upstream) {
  const transportOf = (isSafe: boolean) => createOfficialTransport(upstream, { isSafe, isStream: false });
  const [safe, unsafe] = [transportOf(true), transportOf(false)];
  return async (
    method: DescMethodUnary,
    head: Readonly<Record<string, string>>,
    { timeoutMs, canceled, request }: UnaryRequest,
  ): Promise<Message> => {
    const transport = isSafeToRetry(method, nodeHeaders(head)) ? safe : unsafe;
    const fields = { ...head, [connectTimeoutHeader]: `${timeoutMs}` };
    // The upstream alone ends a call that is late: the transport gets no timeout.
    const { message } = await transport.unary(method, abortSignalOf(canceled), undefined, fields, request);
    return message;
  };
}
