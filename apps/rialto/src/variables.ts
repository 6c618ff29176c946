import { gatewayVariables } from "@rialto/gateway/config";
import { notificationVariables } from "@rialto/notification/config";
import { orderVariables } from "@rialto/order/config";
import { paymentVariables } from "@rialto/payment/config";
import { productVariables } from "@rialto/product/config";
import type { Variables } from "@rialto/service/config";
import { userVariables } from "@rialto/user/config";

/** The environment variables that the gateway and the services declare, beside those of every process. */
export const declaredVariables: readonly Variables[] = [
  gatewayVariables,
  userVariables,
  productVariables,
  orderVariables,
  paymentVariables,
  notificationVariables,
];
