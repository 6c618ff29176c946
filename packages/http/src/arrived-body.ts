import type { IncomingMessage } from "node:http";
import { Http1Request } from "./request.ts";

/**
 * Returns the whole body of a request over HTTP/1.1 that has arrived already: with its head, as most do, or because
 * there is none. It costs no timer, no listener and no stream. Undefined where the body has to be received: also from a
 * server that is not of this package.
 */
export function arrivedBody(request: IncomingMessage): Uint8Array | undefined {
  return request instanceof Http1Request ? request.takeBody() : undefined;
}
