import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { limitWriteTime, type WriteTimeout } from "@rialto/http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { boundedTrailers } from "./grpc-error.ts";
import type { HttpRequest, HttpResponse } from "./http-message.ts";
import { protocolOf } from "./wire-protocol.ts";

/**
 * Reads the head of a request that Node's server received. Its signal aborts when the client goes away. Throws
 * INVALID_REQUEST where the request names no host or no path.
 */
export function readNodeRequest(req: IncomingMessage, res: ServerResponse): HttpRequest {
  try {
    const { url, method, header, body, signal } = universalRequestFromNodeRequest(req, res, undefined, undefined);
    // No parser ran before, so the body is the stream itself.
    return { url, method, header, body: body as AsyncIterable<Uint8Array>, signal };
  } catch (cause) {
    throw new CallError(callErrors.INVALID_REQUEST, { cause });
  }
}

/**
 * Writes a response to Node's, as fast as the client reads. Resolves when all bytes are passed to the socket, or the
 * client is gone. Rejects, and closes the connection, where reading the response's body fails. Where `timeout` is
 * given, a client that exceeds it counts as gone.
 */
export async function writeNodeResponse(
  response: HttpResponse,
  res: ServerResponse,
  timeout?: WriteTimeout,
): Promise<void> {
  const chunks = nonEmpty(response.body);
  try {
    // The head waits for the first bytes: until then the response can still become an error.
    let chunk = await chunks.next();
    if (res.destroyed) return;
    // gRPC's trailers are complete when the body has ended. An empty body is a trailers-only response: they are the
    // head.
    if (chunk.done === true && protocolOf(response.header) === "grpc") {
      endWithHead(res, response.status, [...response.header, ...boundedTrailers(response.trailer)]);
      return;
    }
    res.writeHead(response.status, Object.fromEntries(response.header));
    for (; chunk.done !== true && !res.destroyed; chunk = await chunks.next()) {
      if (!res.write(chunk.value)) await drained(res, timeout);
    }
    const trailers = Object.fromEntries(boundedTrailers(response.trailer));
    if (Object.keys(trailers).length > 0) res.addTrailers(trailers);
    res.end();
  } catch (error) {
    res.destroy();
    throw error;
  } finally {
    await chunks.return(undefined);
  }
}

/** Leaves empty chunks out, which HTTP/2 would send as empty frames. */
async function* nonEmpty(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of body) if (chunk.byteLength > 0) yield chunk;
}

/**
 * Ends a response without a body. Over HTTP/2 it is one frame with END_STREAM, as gRPC requires of a trailers-only
 * response.
 */
export function endWithHead(
  res: ServerResponse,
  status: number,
  headers: Iterable<readonly [name: string, value: string]>,
): void {
  res.statusCode = status;
  for (const [name, value] of headers) res.setHeader(name, value);
  res.end();
}

async function drained(res: ServerResponse, timeout: WriteTimeout | undefined): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  const lift = timeout === undefined ? undefined : limitWriteTime(res, timeout);
  try {
    await Promise.race([once(res, "drain", { signal }), once(res, "close", { signal })]);
  } finally {
    lift?.();
    done.abort();
  }
}
