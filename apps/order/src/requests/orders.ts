import type { OrderService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import type { Handlers } from "@rialto/rpc";
import { orderMessage } from "../order/message.ts";
import type { OrderStore } from "../order/store.ts";
import { changeOrder, readOrder } from "./change-order.ts";
import { listHistory, listOrders } from "./list-orders.ts";
import { type PlaceOrderApp, placeOrder } from "./place-order.ts";
import type { OrderWatch } from "./watch.ts";

/** What the handlers work with. */
export interface OrdersApp extends PlaceOrderApp {
  readonly orders: OrderStore;
  readonly database: Pick<Database, "sql">;
  readonly watch: OrderWatch;
}

/** The handlers of OrderService: read, decide, commit, answer. */
export function orders(app: OrdersApp): Handlers<typeof OrderService> {
  return {
    createOrder: (request, ctx) => placeOrder(app, request, ctx),

    async getOrder({ id }, ctx) {
      return { order: orderMessage(await readOrder(app.orders, id, ctx)) };
    },

    listOrders: (request, ctx) => listOrders(app.orders, request, ctx),

    cancelOrder({ id, reason }, ctx) {
      const settles = ctx.caller.kind === "user" && ctx.caller.role === "ADMIN";
      return changeOrder(app, { id, reason, command: { kind: settles ? "settleByCancel" : "requestCancel" } }, ctx);
    },

    shipOrder: ({ id }, ctx) => changeOrder(app, { id, reason: "", command: { kind: "requestShip" } }, ctx),

    deliverOrder: ({ id }, ctx) => changeOrder(app, { id, reason: "", command: { kind: "deliver" } }, ctx),

    async listOrderEvents(request, ctx) {
      const order = await readOrder(app.orders, request.orderId, ctx);
      return listHistory(app.orders, order, request);
    },

    async *watchOrder({ id }, ctx) {
      const order = await readOrder(app.orders, id, ctx);
      yield { order: orderMessage(order) };
      for await (const changed of app.watch.changes(order, ctx.signal)) yield { order: orderMessage(changed) };
    },
  };
}
