import { PaymentEventSchema, PaymentService } from "@rialto/contracts";
import { addAttentionGauge } from "@rialto/database";
import { serve } from "@rialto/rpc";
import { defineService, every, topicsOf } from "@rialto/service";
import { paymentVariables } from "./config.ts";
import { createPaymentStore } from "./payment/store.ts";
import { createSimulatedProvider } from "./provider/simulated.ts";
import { createOperationCount } from "./requests/operation-metrics.ts";
import { createOperations } from "./requests/operations.ts";
import { payments } from "./requests/payments.ts";
import { createRefunds } from "./requests/refunds.ts";
import { attentionReasons } from "./statuses.ts";

/** Payments: charges and refunds of orders, through a payment provider. */
export const payment = defineService({
  name: "payment",
  migrations: new URL("../migrations", import.meta.url),
  rights: { audit_entry: "append-only", payment_event: "append-only", payment: "kept" },
  extraSchemas: [
    {
      name: "card_network",
      migrations: new URL("../migrations-card-network", import.meta.url),
      // Its authorizations are locked while one is captured, for which Postgres asks the right to update.
      rights: { entry: "kept" },
    },
  ],
  config: paymentVariables,
  calls: {},
  publishes: topicsOf(PaymentEventSchema),
  setup: ({ database, extra, log, now, wakeRelay, metrics }) => {
    const provider = createSimulatedProvider({ sql: extra("card_network").sql, log });
    const store = createPaymentStore({ database, onCommitted: wakeRelay });
    const count = metrics === undefined ? undefined : createOperationCount(metrics);
    const operations = createOperations({ store, provider, now, log, count });
    if (metrics !== undefined)
      addAttentionGauge(metrics, { sql: database.sql, table: "payment", reasons: attentionReasons });
    provider.onResult(operations.recordLate);
    return { payments: store, provider, operations, refunds: createRefunds({ database, store, operations, now }) };
  },
  rpc: (app) => [serve(PaymentService, payments(app))],
  schedules: (app) => [every("2s", "finish-payment-operations", app.operations.finishStalled)],
  stop: async (app) => {
    await app.provider.close();
    await app.payments.close();
  },
});
