export type { ClosableTransport } from "./client/official-transport.ts";
export { createTransport } from "./client/transport.ts";
export type { TransportOptions } from "./client/transport-options.ts";
export { type ConnectHandlerOptions, createConnectHandler } from "./server/connect-handler.ts";
