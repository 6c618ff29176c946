export { doorOptions } from "./door-options.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export { eventKeepers } from "./keepers.ts";
