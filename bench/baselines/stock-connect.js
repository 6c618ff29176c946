// Stock connect-node on node:http, or with BENCH_HTTP2 on node:http2 in cleartext, as its documentation shows it.

import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { OrderService } from "../../packages/contracts/gen/rialto/order/v1/order_service_pb.js";
import { bodyBytesMax, isOrderId, orderMessage, port } from "./order.js";

const onRequest = connectNodeAdapter({
  readMaxBytes: bodyBytesMax,
  routes: (router) =>
    router.rpc(OrderService.method.getOrder, ({ id }) => {
      if (!isOrderId(id)) throw new ConnectError("id must be a UUID", Code.InvalidArgument);
      return orderMessage(id);
    }),
});
const server = process.env.BENCH_HTTP2 === undefined ? createServer(onRequest) : createHttp2Server(onRequest);
server.listen(port, "127.0.0.1");
