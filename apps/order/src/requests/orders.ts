import type { OrderService, ProductService, UserService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { replay } from "@rialto/database";
import { type CallContext, type Client, callErrors, callerName, type Handlers, reasonOf, refuse } from "@rialto/rpc";
import type { Config } from "@rialto/service";
import { v7 as newId } from "uuid";
import { errors } from "../errors.ts";
import { orderMessage } from "../order/message.ts";
import type { OrderStore } from "../order/store.ts";
import { orderAudit } from "./audit.ts";
import { changeOrder } from "./change-order.ts";
import { listHistory, listOrders } from "./list-orders.ts";
import { ownOrder } from "./own-order.ts";
import { type CatalogItem, placeOrder } from "./place-order.ts";
import { answerJson, answerOf } from "./stored-answer.ts";
import type { OrderWatch } from "./watch.ts";

/** What the handlers work with. */
export interface OrdersApp {
  readonly orders: OrderStore;
  readonly watch: OrderWatch;
  readonly database: Pick<Database, "sql">;
  readonly config: Pick<Config, "requireConfirmedEmail">;
  readonly calls: {
    readonly users: Pick<Client<typeof UserService>, "getUser">;
    readonly products: Pick<Client<typeof ProductService>, "batchGetProducts">;
  };
}

/** The handlers of OrderService: read, decide, commit, answer. */
export function orders(app: OrdersApp): Handlers<typeof OrderService> {
  return {
    async createOrder(request, ctx) {
      const { idempotencyKey: key } = ctx;
      const earlier = await replay(app.database.sql, key);
      if (earlier !== undefined) return answerOf(earlier);
      requireConfirmedEmail(app, ctx);
      const [userId, catalog] = await Promise.all([
        customerOf(app, ctx),
        catalogItemsFor(
          app,
          request.items.map((item) => item.productId),
          ctx,
        ),
      ]);
      const event = placeOrder({
        userId,
        requested: request.items,
        catalog,
        paymentMethod: request.paymentMethod,
        shippingAddress: request.shippingAddress,
        expectedTotal: request.expectedTotal && {
          currency: request.expectedTotal.currencyCode,
          minorUnits: request.expectedTotal.minorUnits,
        },
      });
      const outcome = await app.orders.commit(
        {
          orderId: newId(),
          before: undefined,
          event,
          time: ctx.now,
          actor: callerName(ctx.caller),
          reason: "",
          traceparent: ctx.traceparent,
          key,
          response: answerJson,
          audit: (after) => orderAudit(ctx, undefined, after),
        },
        { signal: ctx.signal },
      );
      if (outcome.kind === "REPLAY") return answerOf(outcome.response);
      if (outcome.kind === "COMMITTED") return { order: orderMessage(outcome.order) };
      throw refuse(callErrors.CHANGED_MEANWHILE);
    },

    async getOrder({ id }, ctx) {
      return { order: orderMessage(await ownOrder(app.orders, id, ctx)) };
    },

    listOrders: (request, ctx) => listOrders(app.orders, request, ctx),

    cancelOrder({ id, reason }, ctx) {
      const settles = ctx.caller.kind === "user" && ctx.caller.role === "ADMIN";
      return changeOrder(app, { id, reason, command: { kind: settles ? "settleByCancel" : "requestCancel" } }, ctx);
    },

    shipOrder: ({ id }, ctx) => changeOrder(app, { id, reason: "", command: { kind: "requestShip" } }, ctx),

    deliverOrder: ({ id }, ctx) => changeOrder(app, { id, reason: "", command: { kind: "deliver" } }, ctx),

    async listOrderEvents(request, ctx) {
      const order = await ownOrder(app.orders, request.orderId, ctx);
      return listHistory(app.orders, order, request);
    },

    async *watchOrder({ id }, ctx) {
      const order = await ownOrder(app.orders, id, ctx);
      yield { order: orderMessage(order) };
      for await (const changed of app.watch.changes(order, ctx.signal)) yield { order: orderMessage(changed) };
    },
  };
}

/** Refuses an account whose address nobody has confirmed, where the shop wants that. As its access token says: a refresh says it anew. */
function requireConfirmedEmail({ config }: OrdersApp, { caller }: CallContext): void {
  if (config.requireConfirmedEmail && caller.kind === "user" && caller.emailConfirmed === false)
    throw refuse(errors.EMAIL_UNCONFIRMED);
}

/** Whose order it will be: the caller's, whose account must still be there. */
async function customerOf(app: OrdersApp, ctx: CallContext): Promise<string> {
  if (ctx.caller.kind !== "user") throw refuse(callErrors.CALLER_REQUIRED);
  try {
    const { user } = await app.calls.users.getUser({ id: ctx.caller.userId }, ctx);
    return user?.id ?? ctx.caller.userId;
  } catch (error) {
    if (reasonOf(error) === "USER_NOT_FOUND") throw refuse(errors.CUSTOMER_UNKNOWN, { cause: error });
    throw error;
  }
}

/** What the catalog says of these products, those that are not on sale among them. Unknown ones are left out. */
async function catalogItemsFor(
  app: OrdersApp,
  productIds: readonly string[],
  ctx: CallContext,
): Promise<CatalogItem[]> {
  const { products } = await app.calls.products.batchGetProducts({ ids: [...productIds] }, ctx);
  return products.map(({ id, name, active, price }) => ({
    id,
    name,
    active,
    currency: price?.currencyCode ?? "",
    price: price?.minorUnits ?? 0n,
  }));
}
