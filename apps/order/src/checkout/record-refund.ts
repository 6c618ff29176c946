import type { MessageShape } from "@bufbuild/protobuf";
import type { CancelSignal } from "@rialto/async";
import type { PaymentEventSchema } from "@rialto/contracts";
import type { InboxEntry } from "@rialto/database";
import type { Event } from "@rialto/events";
import type { OrderStore } from "../order/store.ts";
import { decide } from "../order/transitions.ts";

/** Attempts that may lose to other writers of the same order. An order never has so many at a time. */
const attemptsMax = 10;

/**
 * The handler of the subscription "order-refunds": records the refunds of a payment on its order. Events that are late
 * or come twice change nothing, because they carry totals.
 */
export function recordRefund(app: { readonly orders: Pick<OrderStore, "readToDecide" | "commit">; now(): Date }) {
  return {
    async handle(event: Event<MessageShape<typeof PaymentEventSchema>>, inbox: InboxEntry, signal: CancelSignal) {
      const { orderId, captured, refunded } = event.payload;
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        const before = await app.orders.readToDecide(orderId);
        if (before === undefined) throw new Error(`order ${orderId} does not exist`);
        const decision = decide(before, {
          kind: "recordRefund",
          captured: captured?.minorUnits ?? 0n,
          refunded: refunded?.minorUnits ?? 0n,
        });
        if (decision.kind === "NOTHING") return;
        if (decision.kind === "REFUSED") throw new Error(`order ${orderId}: the refund is refused: ${decision.reason}`);
        const outcome = await app.orders.commit(
          {
            id: orderId,
            before,
            event: decision.event,
            time: app.now(),
            actor: "service:payment",
            reason: "",
            traceparent: event.traceparent,
            inbox,
          },
          { signal },
        );
        if (outcome.kind === "COMMITTED") return;
      }
      throw new Error(`order ${orderId}: lost to other changes ${attemptsMax} times`);
    },
  };
}
