import { notification } from "@rialto/notification";
import { order } from "@rialto/order";
import { payment } from "@rialto/payment";
import { product } from "@rialto/product";
import type { ServiceDefinition } from "@rialto/service";
import { user } from "@rialto/user";

/** All services of Rialto. The gateway is not among them. */
export const services: readonly ServiceDefinition[] = [user, product, order, payment, notification];
