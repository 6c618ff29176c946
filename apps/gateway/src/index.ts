export { createAdminBackends } from "./admin/backends.ts";
export { type GatewayConfig, gatewayVariables, readTls } from "./config.ts";
export { type Gateway, startGateway } from "./gateway.ts";
export { type GatewayOptions, gatewayOptions } from "./options.ts";
