export type { ClosableTransport } from "./client/official-transport.ts";
export { createTransport } from "./client/transport.ts";
export type { TransportOptions } from "./client/transport-options.ts";
export { toFields, toWebHeaders } from "./headers/web-headers.ts";
export {
  type ConnectHandler,
  type ConnectHandlerOptions,
  createConnectHandler,
  createUnaryHandler,
} from "./server/connect-handler.ts";
export type { Answer, Exchange, Fields } from "./server/exchange.ts";
export type { UnaryHooks } from "./server/hooks.ts";
export { RequestGone } from "./server/read-body.ts";
export { UnaryCall } from "./server/unary-call.ts";
export type { UnaryHandler } from "./server/unary-handler.ts";
