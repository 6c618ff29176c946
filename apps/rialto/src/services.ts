import { notification } from "@rialto/notification";
import { order } from "@rialto/order";
import { payment } from "@rialto/payment";
import { product } from "@rialto/product";
import type { ServiceDefinition } from "@rialto/service";
import { user } from "@rialto/user";

/** Everything that Rialto is, but for its door. */
export const services: readonly ServiceDefinition[] = [user, product, order, payment, notification];
