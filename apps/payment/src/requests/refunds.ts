import { type AuditChange, type Database, type JsonValue, replay } from "@rialto/database";
import { auditOf, type CallContext, CallError, callErrors } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Operation, Payment } from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import { refund, refusalOf } from "../payment/transitions.ts";
import { attemptsMax, type Operations, operationContext } from "./operations.ts";

export interface RefundCommand {
  readonly id: string;
  readonly amount: { readonly minorUnits: bigint; readonly currency: string } | undefined;
  readonly reason: string;
}

/**
 * A payment can have many refunds, so the caller's key distinguishes a repetition from another refund: a refund of an
 * amount needs one. All that is left can be refunded only once, with a key or without.
 */
export interface Refunds {
  /**
   * Refunds and returns the payment after it. The same Idempotency-Key returns the same payment again. Refuses an
   * amount without a key with REFUND_KEY_REQUIRED.
   */
  refund(command: RefundCommand, ctx: CallContext): Promise<Payment>;
}

interface Parts {
  readonly database: Database;
  readonly store: PaymentStore;
  readonly operations: Operations;
  readonly now: () => Date;
}

/**
 * The response that is stored with the caller's key in the commit that starts the refund. The log has the refund's
 * outcome.
 */
type Started = { readonly operation: string };

export function createRefunds({ database, store, operations, now }: Parts): Refunds {
  async function load(id: string): Promise<Payment> {
    const payment = await store.byId(id);
    if (payment === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
    return payment;
  }

  /** Answers a repetition of a refund that was started before, and finishes it where it is still in flight. */
  async function resume(id: string, stored: JsonValue): Promise<Payment> {
    // Only the commit below stores responses of this method.
    const key = (stored as Started).operation;
    const payment = await load(id);
    if (payment.operation?.key === key) await operations.finish(payment, { fresh: false, callerWaits: true });
    const settled = await store.settledBy(id, key);
    if (settled === undefined) throw new CallError(errors.PROVIDER_UNAVAILABLE);
    if (settled.event.kind === "REFUND_REFUSED") throw refusalOf("REFUND", settled.event.code);
    return settled.payment;
  }

  return {
    async refund({ id, amount, reason }, ctx) {
      if (amount !== undefined && ctx.idempotencyKey === undefined) {
        const fields = [{ field: "amount", description: "needs the header Idempotency-Key" }];
        throw new CallError(errors.REFUND_KEY_REQUIRED, { fields });
      }
      const context = operationContext(ctx, reason);
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const payment = await load(id);
        // After the payment was read: a refund with this key that is committed later changes the version, and this
        // commit conflicts.
        const stored = await replay(database.sql, ctx.idempotencyKey);
        if (stored !== undefined) return resume(id, stored);
        const decision = refund(payment, amount, context);
        if (decision.kind !== "EVENT" || decision.event.kind !== "REFUND_STARTED") {
          await operations.finish(payment, { fresh: false, callerWaits: false });
          continue;
        }
        const { event } = decision;
        const response: Started = { operation: event.operation.key };
        const committed = await store.commit({
          ...context,
          id,
          before: payment,
          event,
          time: now(),
          key: ctx.idempotencyKey,
          response: () => response,
          audit: () => auditOf(ctx, { subject: `payment:${id}`, changes: refundChanges(payment, event.operation) }),
        });
        if (committed.kind === "CONFLICT") continue;
        if (committed.kind === "REPLAY") return resume(id, committed.response);
        const finished = await operations.finish(committed.after, { fresh: true, callerWaits: true });
        if (finished.answer.kind === "DECLINED") throw refusalOf("REFUND", finished.answer.code);
        // Where another process committed the answer, the payment may have changed since.
        if (finished.payment.version === committed.after.version + 1) return finished.payment;
        return (await store.settledBy(id, event.operation.key))?.payment ?? finished.payment;
      }
      throw new CallError(callErrors.CHANGED_MEANWHILE);
    },
  };
}

/** The refund as it is started. Its outcome is in the payment's own log. */
function refundChanges({ attention, currency }: Payment, { amount }: Operation): readonly AuditChange[] {
  const started = { field: "refund", after: `${amount} ${currency ?? ""}` };
  return attention === undefined ? [started] : [started, { field: "attention", before: attention.reason }];
}
