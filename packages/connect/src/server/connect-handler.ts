import type { RequestListener } from "node:http";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";

/** Options of a handler: those of the official adapter. */
export type ConnectHandlerOptions = ConnectNodeAdapterOptions;

/**
 * Creates the request listener of the services that `routes` registers: Connect, gRPC and gRPC-Web, over the HTTP/1.1
 * and HTTP/2 of `@rialto/http`.
 */
export function createConnectHandler(o: ConnectHandlerOptions): RequestListener {
  return connectNodeAdapter(o);
}
