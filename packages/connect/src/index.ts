export { type ConnectHandlerOptions, createConnectHandler } from "./server/connect-handler.ts";
