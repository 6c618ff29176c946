import type { ServerResponse } from "node:http";
import { asEndingInTurn, type WholeResponseBody } from "./ends-in-turn.ts";
import { endNow } from "./http1-response.ts";

/**
 * Ends a response with its whole body; without one where there is none. Its head must be written. Text has one
 * character for each byte.
 *
 * A small body is written as text: Node joins text with the head of the response, and writes one string where it would
 * write a list of two buffers. The list took half as long again, where it was measured. A response of `listenHttp` over
 * HTTP/1.1 is written with the others of its turn of the event loop: until then `isAnswered` tells that it is on its
 * way, and Node's `writableEnded` does not.
 */
export function endWithBody(response: ServerResponse, body: WholeResponseBody): void {
  const inTurn = asEndingInTurn(response);
  if (inTurn === undefined) endNow(response, body);
  else inTurn.endInTurn(body);
}

/** Whether a response was ended, or its connection is lost: it takes no other answer. */
export function isAnswered(response: ServerResponse): boolean {
  return response.destroyed || response.writableEnded || asEndingInTurn(response)?.isEnding === true;
}
