import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * Keeps the connection of a request that an official handler answers before it has read all of it. The handler reads by
 * an iterator, and Node destroys a request whose iterator is left early: the connection is reset, or the answer to the
 * next request on it never comes. Here the rest is read and dropped once the answer is written, and the port's timeout
 * for a whole request bounds it. Cases: those that follow "Server Message Size/HTTPVersion:1/..." on the
 * same connection.
 */
export function keepConnection(request: IncomingMessage, response: ServerResponse): void {
  const value = () => request.iterator({ destroyOnReturn: false });
  Object.defineProperty(request, Symbol.asyncIterator, { value, configurable: true });
  response.once("finish", () => request.resume());
}
