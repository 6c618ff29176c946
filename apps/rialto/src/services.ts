import { gatewayVariables } from "@rialto/gateway";
import { notification } from "@rialto/notification";
import { order } from "@rialto/order";
import { payment } from "@rialto/payment";
import { product } from "@rialto/product";
import type { ServiceDefinition, Variables } from "@rialto/service";
import { user } from "@rialto/user";

/** All services of Rialto. The gateway is not among them. */
export const services: readonly ServiceDefinition[] = [user, product, order, payment, notification];

/** The environment variables that the gateway and the services declare, beside those of every process. */
export const declaredVariables: readonly Variables[] = [gatewayVariables, ...services.map(({ config }) => config)];
