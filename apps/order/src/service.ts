import { createDeadlineWheel, sleep } from "@rialto/async";
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
import { defineService, every, topicsOf } from "@rialto/service";
import { createAdmission } from "./admission/admission.ts";
import { addQueueGauges, createShedCount } from "./admission/admission-metrics.ts";
import { createQueueReader } from "./admission/queue-reader.ts";
import { advanceOnEvent, checkoutOptions, checkoutTopics, createCheckout } from "./checkout/advance.ts";
import { createCheckoutCount, createResumeCounts } from "./checkout/checkout-metrics.ts";
import { recordRefund } from "./checkout/record-refund.ts";
import { reserveTogether } from "./checkout/reserve-together.ts";
import { resumeStalled } from "./checkout/resume-stalled.ts";
import { orderVariables } from "./config.ts";
import { addOrderGauges } from "./order/gauges.ts";
import { createOrderStore } from "./order/store.ts";
import { orders } from "./requests/orders.ts";
import { createOrderWatch } from "./requests/watch.ts";

/** The longest pause between two readings of the queue. The shortest is half of it: replicas do not read in step. */
const queueReadMs = 500;

/** Orders: what was bought, the status it is in, and the events that led there. */
export const order = defineService({
  name: "order",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only", order_event: "append-only", orders: "kept" },
  config: orderVariables,
  calls: { users: UserService, products: ProductService, stock: InventoryService, payments: PaymentService },
  publishes: topicsOf(OrderEventSchema),
  setup: ({ database, wakeRelay, calls, config, log, now, metrics }) => {
    const store = createOrderStore({ database, onCommitted: wakeRelay });
    if (metrics !== undefined) {
      addOrderGauges(metrics, database);
      addQueueGauges(metrics, createQueueReader(database));
    }
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
      resumeCounts: metrics === undefined ? undefined : createResumeCounts(metrics),
      wheel: createDeadlineWheel(),
      admission: createAdmission({
        reader: createQueueReader(database),
        limits: { delayMsTarget: config.orderDelayMsTarget, unfinishedMax: config.unfinishedOrdersMax },
        log,
        shed: metrics === undefined ? undefined : createShedCount(metrics),
        random: Math.random,
        pause: (signal) => sleep(queueReadMs * (1 - Math.random() / 2), { signal }),
      }),
    };
  },
  rpc: (app) => [serve(OrderService, orders(app))],
  subscriptions: (app) => [
    subscribe("checkout", checkoutTopics, OrderEventSchema, advanceOnEvent(app), checkoutOptions),
    subscribe("order-refunds", "payment.refunded", PaymentEventSchema, recordRefund(app)),
  ],
  schedules: (app) => [every("10s", "resume-stalled-checkouts", resumeStalled(app))],
  stop: async (app) => {
    app.watch.close();
    await app.admission.close();
    await app.orders.close();
  },
});
