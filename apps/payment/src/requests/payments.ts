import { PaymentSchema, type PaymentService } from "@rialto/contracts";
import {
  auditOf,
  type CallContext,
  CallError,
  callErrors,
  type Handlers,
  messageSize,
  page,
  requireOwner,
} from "@rialto/rpc";
import { validate as isUuid } from "uuid";
import { errors } from "../errors.ts";
import { paymentMessage } from "../payment/message.ts";
import type { Payment } from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import {
  authorize,
  capture,
  captureKey,
  type Decision,
  type OperationContext,
  refusalOf,
  resolveAttention,
  voidPayment,
} from "../payment/transitions.ts";
import { attemptsMax, type Operations, operationContext } from "./operations.ts";
import type { Refunds } from "./refunds.ts";

interface Parts {
  readonly payments: PaymentStore;
  readonly operations: Operations;
  readonly refunds: Refunds;
  now(): Date;
}

const bytesOf = messageSize(PaymentSchema);

/**
 * The handlers of PaymentService. Authorize, capture and void take no idempotency key: the payment's state makes a
 * repetition safe.
 */
export function payments(app: Parts): Handlers<typeof PaymentService> {
  return {
    async authorizePayment({ orderId, userId, amount, paymentMethod }, ctx) {
      if (amount === undefined) throw new CallError(callErrors.INVALID_REQUEST);
      const command = { orderId, userId, paymentMethod, amount: amount.minorUnits, currency: amount.currencyCode };
      const decide: Decide = (current, context) => authorize(current, command, context);
      const payment = await settleBy(app, ctx, { orderId, isNew: true }, decide);
      return { payment: paymentMessage(payment) };
    },

    async capturePayment({ orderId, attempt }, ctx) {
      const key = captureKey(orderId, attempt);
      // Looked up after the payment was read: a refusal that is committed later changes the version, and this commit
      // conflicts.
      const refusedWith = async (current: Payment | undefined) =>
        current?.status === "AUTHORIZED" ? app.payments.captureRefusal(current.id, key) : undefined;
      const payment = await settleBy(app, ctx, { orderId }, async (current, context) =>
        capture(current, { key, refusedWith: await refusedWith(current) }, context),
      );
      return { payment: paymentMessage(payment) };
    },

    async voidPayment({ orderId }, ctx) {
      await settleBy(app, ctx, { orderId }, (current, context) => voidPayment(current, orderId, context));
      return {};
    },

    async refundPayment({ id, amount, reason }, ctx) {
      const asked = amount && { minorUnits: amount.minorUnits, currency: amount.currencyCode };
      return { payment: paymentMessage(await app.refunds.refund({ id, amount: asked, reason }, ctx)) };
    },

    async resolvePaymentAttention({ id, reason }, ctx) {
      return { payment: paymentMessage(await resolveBy(app, ctx, id, reason)) };
    },

    async getPayment({ id }, ctx) {
      const payment = await app.payments.byId(id);
      if (payment === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
      requireOwner(ctx, payment.userId ?? "", errors.PAYMENT_NOT_FOUND);
      return { payment: paymentMessage(payment) };
    },

    async listPayments(request, ctx) {
      const { caller } = ctx;
      const filter = {
        orderId: request.orderId === "" ? undefined : request.orderId,
        userId: caller.kind === "user" && caller.role === "CUSTOMER" ? caller.userId : undefined,
        attention: request.attention,
      };
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: [isUuid],
        read: ({ after, limit }) => app.payments.list(filter, { after: after?.[0], limit }),
        keysOf: ({ id }) => [id],
        messageOf: paymentMessage,
        bytesOf,
      });
      return { payments: messages, nextPageToken };
    },
  };
}

/** Clears the mark that a payment waits for a person. */
async function resolveBy(app: Parts, ctx: CallContext, id: string, reason: string): Promise<Payment> {
  const context = operationContext(ctx, reason);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const before = await app.payments.byId(id);
    if (before === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
    const decision = resolveAttention(before);
    if (decision.kind !== "EVENT") return before;
    const changes = [{ field: "attention", before: before.attention?.reason }];
    const audit = auditOf(ctx, { subject: `payment:${before.id}`, changes });
    const committed = await app.payments.commit({
      ...context,
      id,
      before,
      event: decision.event,
      time: app.now(),
      audit: () => audit,
    });
    if (committed.kind === "COMMITTED") return committed.after;
  }
  throw new CallError(callErrors.CHANGED_MEANWHILE);
}

type Decide = (payment: Payment | undefined, context: OperationContext) => Decision | Promise<Decision>;

/**
 * Decides, runs the operation that the decision starts, and decides again, until nothing is left to do: then the
 * payment is as the call asks for. An operation that another call has in flight is finished first.
 *
 * With `isNew` the order has most likely no payment yet, so none is read before the first decision: where there is one,
 * the commit finds it, writes nothing, and it is read then. A payment has the id of its order, so that it can.
 */
async function settleBy(
  app: Parts,
  ctx: CallContext,
  { orderId, isNew = false }: { readonly orderId: string; readonly isNew?: boolean },
  decide: Decide,
): Promise<Payment> {
  const context = operationContext(ctx, "");
  let current = isNew ? undefined : await app.payments.byOrder(orderId);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const decision = await decide(current, context);
    // NOTHING only where there is a payment: without one, each command starts an operation or refuses.
    if (decision.kind === "NOTHING" && current !== undefined) return current;
    const fresh = decision.kind === "EVENT";
    if (decision.kind === "EVENT") {
      const committed = await app.payments.commit({
        ...context,
        id: current?.id ?? orderId,
        before: current,
        event: decision.event,
        time: app.now(),
      });
      current = committed.kind === "COMMITTED" ? committed.after : await app.payments.byOrder(orderId);
      if (committed.kind !== "COMMITTED") continue;
    }
    if (current?.operation === undefined) continue;
    const { operation, answer, payment } = await app.operations.finish(current, { fresh, callerWaits: fresh });
    // The payment's state says that an authorization was declined; the other refusals leave it as it was.
    const own = fresh && operation.kind !== "AUTHORIZE";
    if (own && answer.kind === "DECLINED") throw refusalOf(operation.kind, answer.code, payment.status);
    current = payment;
  }
  throw new CallError(callErrors.CHANGED_MEANWHILE);
}
