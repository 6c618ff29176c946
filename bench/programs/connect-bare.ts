/** `packages/connect` alone: a handler of one method on a port of `packages/http`. */

import type * as ConnectEs from "@connectrpc/connect";
import type * as Connect from "../../packages/connect/src/index.ts";
import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Http from "../../packages/http/src/index.ts";
import { isOrderId, orderAnswer } from "./order-answer.ts";
import { onStop, ours, oursOf, port } from "./root.ts";

const { createConnectHandler } = await ours<typeof Connect>("packages/connect/src/index.ts");
const { Code, ConnectError } = await oursOf<typeof ConnectEs>("packages/connect", "@connectrpc/connect");
const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");
const { listenHttp } = await ours<typeof Http>("packages/http/src/index.ts");

const handler = createConnectHandler({
  readMaxBytes: 128 * 1_024,
  routes: (router) =>
    router.rpc(OrderService.method.getOrder, ({ id }) => {
      if (!isOrderId(id)) throw new ConnectError("id must be a UUID", Code.InvalidArgument);
      return orderAnswer(id);
    }),
});
const { onStream } = handler;
const listener = await listenHttp({ port, host: "127.0.0.1", streamsMax: 1_000, onRequest: handler, onStream });
onStop(listener.close);
