import type { DescMethod } from "@bufbuild/protobuf";
import { type ByteResponse, callErrors, writeNodeResponse } from "@rialto/rpc";
import { limitedBody } from "./body.ts";
import { isCode } from "./codes.ts";
import { isStreamRequest } from "./connect.ts";
import type { Exchange } from "./exchange.ts";
import { connectEndOfStream, refused } from "./refused.ts";
import { headersOutward } from "./request-headers.ts";
import { type Behind, callBehind } from "./upstream.ts";

/**
 * Passes a Connect call on as bytes, whatever encoding they are in, and its answer back as they come, no faster than the client
 * takes them. A client that goes away cancels the call behind; a gateway that closes ends its streams.
 */
export async function forward(exchange: Exchange, method: DescMethod, behind: Behind): Promise<void> {
  const { request, response, signal, closing } = exchange;
  const isStream = isStreamRequest(exchange);
  const answer = await callBehind(exchange, method, behind, {
    httpMethod: request.method ?? "POST",
    query: exchange.query,
    body: limitedBody(request),
    signal: isStream ? AbortSignal.any([signal, closing]) : signal,
  });
  const body = isStream ? endedStream(exchange, answer.body) : recorded(exchange, answer);
  const header = new Headers(headersOutward(answer.header));
  await writeNodeResponse({ ...answer, header, body }, response);
}

/** The stream, with an end that its reader understands where it breaks off on the way here. */
async function* endedStream(
  { signal, record }: Exchange,
  body: ByteResponse["body"],
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    if (signal.aborted) throw error;
    record.code = "unavailable";
    const cutOff = refused(callErrors.TEMPORARILY_UNAVAILABLE, { message: "The stream was cut off." });
    yield connectEndOfStream(cutOff.answer);
  }
}

/** The answer to a unary call. The code that a failed one begins with goes to the log; a compressed one keeps it to itself. */
async function* recorded({ record }: Exchange, { status, body }: ByteResponse): AsyncGenerator<Uint8Array, void> {
  let isFirst = status !== 200;
  for await (const chunk of body) {
    if (isFirst) {
      const name = /^\s*\{\s*"code"\s*:\s*"([a-z_]+)"/.exec(Buffer.from(chunk).toString("latin1", 0, 64))?.[1];
      record.code = isCode(name) ? name : "unknown";
    }
    isFirst = false;
    yield chunk;
  }
}
