// The official in-memory transport: createRouterTransport, with a check of the id in the handler and nothing else.

import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { OrderService } from "../../packages/contracts/gen/rialto/order/v1/order_service_pb.js";
import { serveRuns } from "../programs/driver.ts";
import { orderId } from "../programs/order-answer.ts";
import { isOrderId, orderMessage, port } from "./order.js";

const transport = createRouterTransport((router) =>
  router.rpc(OrderService.method.getOrder, ({ id }) => {
    if (!isOrderId(id)) throw new ConnectError("id must be a UUID", Code.InvalidArgument);
    return orderMessage(id);
  }),
);
const orders = createClient(OrderService, transport);
serveRuns(port, () => orders.getOrder({ id: orderId }));
