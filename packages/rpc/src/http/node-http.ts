import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { callErrors } from "../errors/call-errors.ts";
import { refuse } from "../errors/errors.ts";
import { boundedStatus } from "../wire/grpc-status.ts";
import type { ByteRequest, ByteResponse } from "../wire/http-message.ts";
import { protocolOf } from "../wire/wire-protocol.ts";
import { limitTaking, type TakingTime } from "./write-timeout.ts";

/**
 * A request that Node's server received, as bytes. Its signal aborts when the client goes away. Throws INVALID_REQUEST
 * where the request names no host or no path.
 */
export function readNodeRequest(req: IncomingMessage, res: ServerResponse): ByteRequest {
  try {
    const { url, method, header, body, signal } = universalRequestFromNodeRequest(req, res, undefined, undefined);
    // Nothing was parsed before, so the body is the stream itself.
    return { url, method, header, body: body as AsyncIterable<Uint8Array>, signal };
  } catch (cause) {
    throw refuse(callErrors.INVALID_REQUEST, { cause });
  }
}

/**
 * Writes an answer to Node's response, as fast as the client reads. Resolves when all is handed to the socket or the
 * client is gone; rejects, and breaks the connection off, where the answer itself breaks off. Where a time is given, a client that takes longer
 * for what is written is gone as well.
 */
export async function writeNodeResponse(
  response: ByteResponse,
  res: ServerResponse,
  taking?: TakingTime,
): Promise<void> {
  const chunks = filled(response.body);
  try {
    // The head waits for the first bytes: until then the answer may still become an error.
    let chunk = await chunks.next();
    if (res.destroyed) return;
    // gRPC's trailers are known once its body is: where that is empty they are the head.
    if (chunk.done === true && protocolOf(response.header) === "grpc") {
      endWithHead(res, response.status, [...response.header, ...boundedStatus(response.trailer)]);
      return;
    }
    res.writeHead(response.status, Object.fromEntries(response.header));
    for (; chunk.done !== true && !res.destroyed; chunk = await chunks.next()) {
      if (!res.write(chunk.value)) await drained(res, taking);
    }
    const trailers = Object.fromEntries(boundedStatus(response.trailer));
    if (Object.keys(trailers).length > 0) res.addTrailers(trailers);
    res.end();
  } catch (error) {
    res.destroy();
    throw error;
  } finally {
    await chunks.return(undefined);
  }
}

/** What is empty goes out as nothing, and not as a frame without bytes. */
async function* filled(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of body) if (chunk.byteLength > 0) yield chunk;
}

/** Ends an answer that has no body with its head: over HTTP/2 in one frame, without an empty one behind it, as gRPC asks of an answer without a message. */
export function endWithHead(
  res: ServerResponse,
  status: number,
  headers: Iterable<readonly [name: string, value: string]>,
): void {
  res.statusCode = status;
  for (const [name, value] of headers) res.setHeader(name, value);
  res.end();
}

async function drained(res: ServerResponse, taking: TakingTime | undefined): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  const stop = taking === undefined ? undefined : limitTaking(res, taking);
  try {
    await Promise.race([once(res, "drain", { signal }), once(res, "close", { signal })]);
  } finally {
    stop?.();
    done.abort();
  }
}
