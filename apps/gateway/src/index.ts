export { eventKeepers } from "./admin/backends.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export { doorOptions } from "./options.ts";
