/** `packages/connect` alone: a handler of one method on a port of `packages/http`. */
import type * as Connect from "../../packages/connect/src/index.ts";
import type * as Contracts from "../../packages/contracts/src/index.ts";
import type * as Http from "../../packages/http/src/index.ts";
import { orderAnswer } from "./order-answer.ts";
import { onStop, ours, port } from "./root.ts";

const { createConnectHandler } = await ours<typeof Connect>("packages/connect/src/index.ts");
const { OrderService } = await ours<typeof Contracts>("packages/contracts/src/index.ts");
const { listenHttp } = await ours<typeof Http>("packages/http/src/index.ts");

const handler = createConnectHandler({
  readMaxBytes: 128 * 1_024,
  routes: (router) => router.rpc(OrderService.method.getOrder, ({ id }) => orderAnswer(id)),
});
const { onStream } = handler;
const listener = await listenHttp({ port, host: "127.0.0.1", streamsMax: 1_000, onRequest: handler, onStream });
onStop(listener.close);
