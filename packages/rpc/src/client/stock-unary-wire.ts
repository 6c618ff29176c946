import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { abortSignalOf } from "@rialto/async";
import { messageBytesMax } from "../limits.ts";
import { isSafeToRetry } from "../server/idempotency.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { nodeHeaders } from "../wire/call-headers.ts";
import { connectTimeoutHeader } from "../wire/wire-protocol.ts";
import type { UnaryRequest } from "./unary-wire.ts";

/** The same as `createUnaryWire`, by the official transport, for tests that ask for it (`isStockPath`). */
export function createStockUnaryWire(upstream: Upstream) {
  const transports = { safe: createStock(upstream, true), unsafe: createStock(upstream, false) };
  return async (
    method: DescMethodUnary,
    head: Readonly<Record<string, string>>,
    { timeoutMs, canceled, request }: UnaryRequest,
  ): Promise<Message> => {
    const transport = isSafeToRetry(method, nodeHeaders(head)) ? transports.safe : transports.unsafe;
    const fields = { ...head, [connectTimeoutHeader]: `${timeoutMs}` };
    // The upstream alone ends a call that is late: the transport is told of no timeout.
    const { message } = await transport.unary(method, abortSignalOf(canceled), undefined, fields, request);
    return message;
  };
}

function createStock(upstream: Upstream, isSafe: boolean) {
  return createTransport({
    baseUrl: "http://upstream",
    httpClient: (request) => upstream.fetch(request, { isSafe, isStream: false }),
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: messageBytesMax,
    readMaxBytes: messageBytesMax,
    writeMaxBytes: messageBytesMax,
  });
}
