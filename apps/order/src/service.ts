import { createDeadlineWheel } from "@rialto/async";
import {
  InventoryService,
  OrderEventSchema,
  OrderService,
  PaymentEventSchema,
  PaymentService,
  ProductService,
  UserService,
} from "@rialto/contracts";
import { subscribe } from "@rialto/events";
import { serve } from "@rialto/rpc";
import { defineService, every, flag, topicsOf, variable } from "@rialto/service";
import { advanceOnEvent, checkoutTopics, createCheckout, ordersInHandMax } from "./checkout/advance.ts";
import { createCheckoutCount } from "./checkout/checkout-metrics.ts";
import { recordRefund } from "./checkout/record-refund.ts";
import { reserveTogether } from "./checkout/reserve-together.ts";
import { resumeStalled } from "./checkout/resume-stalled.ts";
import { createOrderStore } from "./order/store.ts";
import { orders } from "./requests/orders.ts";
import { createOrderWatch } from "./requests/watch.ts";

/** Orders: what was bought, the status it is in, and the events that led there. */
export const order = defineService({
  name: "order",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only", order_event: "append-only", orders: "kept" },
  config: {
    /** Accept orders only from accounts with a confirmed e-mail address. */
    requireConfirmedEmail: variable("RIALTO_REQUIRE_CONFIRMED_EMAIL", flag, { default: false, without: "`off`" }),
  },
  calls: { users: UserService, products: ProductService, stock: InventoryService, payments: PaymentService },
  publishes: topicsOf(OrderEventSchema),
  setup: ({ database, wakeRelay, calls, now, metrics }) => {
    const store = createOrderStore({ database, onCommitted: wakeRelay });
    return {
      orders: store,
      watch: createOrderWatch({ orders: store }),
      checkout: createCheckout({
        orders: store,
        calls: {
          payments: calls.payments,
          stock: {
            reserveStock: reserveTogether(calls.stock),
            releaseStock: calls.stock.releaseStock,
            commitStock: calls.stock.commitStock,
          },
        },
        now,
        count: metrics === undefined ? undefined : createCheckoutCount(metrics),
      }),
      wheel: createDeadlineWheel(),
    };
  },
  rpc: (app) => [serve(OrderService, orders(app))],
  subscriptions: (app) => [
    subscribe("checkout", checkoutTopics, OrderEventSchema, advanceOnEvent(app), { concurrencyMax: ordersInHandMax }),
    subscribe("order-refunds", "payment.refunded", PaymentEventSchema, recordRefund(app)),
  ],
  schedules: (app) => [every("10s", "resume-stalled-checkouts", resumeStalled(app))],
  stop: async (app) => {
    app.watch.close();
    await app.orders.close();
  },
});
