import type { MessageShape } from "@bufbuild/protobuf";
import type { PaymentEventSchema } from "@rialto/contracts";
import type { Event } from "@rialto/events";
import type { InboxEntry, OrderStore } from "../order/store.ts";
import { decide } from "../order/transitions.ts";

/** Each round lost to another writer of the same order. An order has not so many at a time. */
const roundsMax = 10;

/**
 * The handler of the subscription "order-refunds": what a payment gave back is recorded on its order. Reports that are late or come
 * twice change nothing, because they carry totals.
 */
export function recordRefund(app: { readonly orders: Pick<OrderStore, "read" | "commit">; now(): Date }) {
  return {
    async withEffect(event: Event<MessageShape<typeof PaymentEventSchema>>, inbox: InboxEntry, signal: AbortSignal) {
      const { orderId, captured, refunded } = event.payload;
      for (let round = 0; round < roundsMax; round += 1) {
        const before = await app.orders.read(orderId);
        if (before === undefined) throw new Error(`order ${orderId} is not there`);
        const answer = decide(before, {
          kind: "recordRefund",
          captured: captured?.minorUnits ?? 0n,
          refunded: refunded?.minorUnits ?? 0n,
        });
        if (answer.kind === "NOTHING") return;
        if (answer.kind === "REFUSED") throw new Error(`order ${orderId}: its refund is refused: ${answer.reason}`);
        const outcome = await app.orders.commit(
          {
            orderId,
            before,
            event: answer.event,
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
      throw new Error(`order ${orderId}: other changes came first ${roundsMax} times`);
    },
  };
}
