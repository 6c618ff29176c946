import type { Message } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { errorWord, type RecordedSpan, runSpan } from "@rialto/telemetry";
import { CallError, remoteError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { cancelSignalOf, type OutgoingCall } from "../server/context.ts";
import { isServerStream, isUnary } from "../server/route.ts";
import { isStockPath } from "../stock-path.ts";
import type { Upstream } from "../upstream/upstream.ts";
import { fromConnectError } from "../wire/connect-error.ts";
import { beginClientSpan } from "./client-span.ts";
import type { ClientTransport } from "./client-transport.ts";
import { type HttpHead, httpHeadOf, type Names } from "./http-head.ts";
import { createOfficialTransport } from "./official-transport.ts";
import { createStockUnaryWire } from "./stock-unary-wire.ts";
import { createUnaryWire } from "./unary-wire.ts";

/**
 * Creates the transport to a service at one or more addresses: binary Connect over HTTP. The upstream balances and
 * retries.
 */
export function createHttpTransport(upstream: Upstream, names: Names): ClientTransport {
  const callUnary = (isStockPath() ? createStockUnaryWire : createUnaryWire)(upstream);
  const streams = createOfficialTransport(upstream, { isSafe: false });
  const send = async (call: OutgoingCall, request: Message, span: RecordedSpan | undefined): Promise<Message> => {
    const head = await httpHeadOf(call, names, span);
    if (!isUnary(head.method)) throw new Error(`${head.method.name} is a stream`);
    const timeoutMs = remainingMs(head);
    const canceled = cancelSignalOf(call.context);
    try {
      // The upstream alone ends a call that is late: only then does it count a replica that stays silent.
      return await callUnary(head.method, head.fields, { timeoutMs, canceled, request });
    } catch (error) {
      throw wireError(error);
    }
  };
  return {
    unary(call, request) {
      const span = beginClientSpan(call.method);
      return span === undefined ? send(call, request, undefined) : runSpan(span, () => send(call, request, span));
    },
    async *stream(call, request) {
      const span = beginClientSpan(call.method);
      // Connect's stream does not end when its reader stops early. This signal ends it.
      const left = new AbortController();
      try {
        const head = await httpHeadOf(call, names, span);
        const { method, fields } = head;
        if (!isServerStream(method)) throw new Error(`${method.name} is not a stream to the client`);
        const signal = AbortSignal.any([call.context.signal, left.signal]);
        const timeoutMs = remainingMs(head);
        try {
          const input = createAsyncIterable([request]);
          const answers = await streams.stream(method, signal, timeoutMs, fields, input);
          yield* readUntilDone(answers.message);
        } catch (error) {
          throw wireError(error);
        }
      } catch (error) {
        span?.fail(errorWord(error));
        throw error;
      } finally {
        left.abort();
        span?.end();
      }
    },
  };
}

async function* readUntilDone(messages: AsyncIterable<Message>): AsyncGenerator<Message, void> {
  for await (const message of messages) yield message;
}

/** Returns the remaining time. Throws where there is none: Connect takes 0 as no timeout. */
function remainingMs(head: HttpHead): number {
  const remaining = Math.floor(+head.deadline - Date.now());
  if (remaining <= 0) throw new CallError(callErrors.DEADLINE_PASSED);
  return remaining;
}

function wireError(error: unknown): CallError {
  const wire = ConnectError.from(error);
  // Connect wraps the error of the upstream.
  return wire.cause instanceof CallError ? remoteError(wire.cause) : fromConnectError(wire);
}
