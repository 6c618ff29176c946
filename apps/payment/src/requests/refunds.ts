import { type AuditChange, type Database, type JsonValue, KeyReused, replay } from "@rialto/database";
import { auditOf, type CallContext, CallError, callErrors } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { type Operation, type Payment, refund, refusalOf } from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import type { Operations } from "./operations.ts";
import { decisionsMax, originOf } from "./origin.ts";

export interface RefundCommand {
  readonly id: string;
  readonly amount: { readonly minorUnits: bigint; readonly currency: string } | undefined;
  readonly reason: string;
}

/**
 * Refunds can be many for one payment, so a key of the caller's tells a repetition from another refund: one that names an amount must have
 * one. All that is left can be given back only once, with a key or without.
 */
export interface Refunds {
  /**
   * Gives money back and returns the payment after it. With the same Idempotency-Key it returns the same payment again. Refuses with
   * REFUND_KEY_REQUIRED what could not be told from its repetition.
   */
  refund(command: RefundCommand, ctx: CallContext): Promise<Payment>;
}

interface Parts {
  readonly database: Database;
  readonly store: PaymentStore;
  readonly operations: Operations;
  readonly now: () => Date;
}

/** What is stored with the caller's key in the commit that starts the refund. The log has what became of it. */
type Started = { readonly operation: string };

export function createRefunds({ database, store, operations, now }: Parts): Refunds {
  async function load(id: string): Promise<Payment> {
    const payment = await store.byId(id);
    if (payment === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
    return payment;
  }

  /** Answers for a refund that was started before, finishing it where it is still in flight. */
  async function resume(id: string, stored: JsonValue): Promise<Payment> {
    // Only the commit below writes under this method's keys.
    const key = (stored as Started).operation;
    const payment = await load(id);
    if (payment.operation?.key === key) await operations.finish(payment, { fresh: false, isTold: true });
    const settled = await store.settledBy(id, key);
    if (settled === undefined) throw new CallError(errors.PROVIDER_UNAVAILABLE);
    if (settled.event.type === "REFUND_REFUSED") throw refusalOf("REFUND", settled.event.code);
    return settled.payment;
  }

  return {
    async refund({ id, amount, reason }, ctx) {
      if (amount !== undefined && ctx.idempotencyKey === undefined) {
        const fields = [{ field: "amount", description: "needs the header Idempotency-Key" }];
        throw new CallError(errors.REFUND_KEY_REQUIRED, { fields });
      }
      const origin = originOf(ctx, reason);
      for (let decisions = 0; decisions < decisionsMax; decisions++) {
        const payment = await load(id);
        // After the payment was read: a refund with this key that is committed from here on moves the version, and this one conflicts.
        const stored = await replay(database.sql, ctx.idempotencyKey);
        if (stored !== undefined) return resume(id, stored);
        const step = refund(payment, amount, origin);
        if (step.kind !== "START" || step.event.type !== "REFUND_STARTED") {
          await operations.finish(payment, { fresh: false, isTold: false });
          continue;
        }
        const { event } = step;
        const response: Started = { operation: event.operation.key };
        const committed = await store.commit({
          ...origin,
          before: payment,
          event,
          time: now(),
          key: ctx.idempotencyKey,
          response,
          audit: auditOf(ctx, { subject: `payment:${id}`, changes: refundChanges(payment, event.operation) }),
        });
        if (committed.kind === "CONFLICT") continue;
        if (committed.kind === "REPLAY") return resume(id, committed.response);
        if (committed.kind === "KEY_REUSED") throw new KeyReused();
        const finished = await operations.finish(committed.payment, { fresh: true, isTold: true });
        if (finished.answer.kind === "DECLINED") throw refusalOf("REFUND", finished.answer.code);
        // Where somebody else wrote the answer down, the payment may have moved on since.
        if (finished.payment.version === committed.payment.version + 1) return finished.payment;
        return (await store.settledBy(id, event.operation.key))?.payment ?? finished.payment;
      }
      throw new CallError(callErrors.CHANGED_MEANWHILE);
    },
  };
}

/** The refund as it is begun; what the provider makes of it stands in the payment's own log. */
function refundChanges({ attention, currency }: Payment, { amount }: Operation): readonly AuditChange[] {
  const begun = { field: "refund", after: `${amount} ${currency ?? ""}` };
  return attention === undefined ? [begun] : [begun, { field: "attention", before: attention.reason }];
}
