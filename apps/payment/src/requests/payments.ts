import { PaymentSchema, type PaymentService } from "@rialto/contracts";
import {
  auditOf,
  type CallContext,
  CallError,
  callErrors,
  type Handlers,
  messageSize,
  pageFrom,
  pageOf,
  requireOwner,
} from "@rialto/rpc";
import { validate as isUuid } from "uuid";
import { errors } from "../errors.ts";
import { messageOf } from "../payment/message.ts";
import {
  authorize,
  capture,
  captureKey,
  type OperationOrigin,
  type Payment,
  refusalOf,
  resolveAttention,
  type Step,
  voidPayment,
} from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import type { Operations } from "./operations.ts";
import { decisionsMax, originOf } from "./origin.ts";
import type { Refunds } from "./refunds.ts";

interface Parts {
  readonly payments: PaymentStore;
  readonly operations: Operations;
  readonly refunds: Refunds;
  now(): Date;
}

const bytesOf = messageSize(PaymentSchema);

/** The RPC handlers. Authorize, capture and void are safe to repeat by the state of the payment alone, and take no key for it. */
export function payments(app: Parts): Handlers<typeof PaymentService> {
  return {
    async authorizePayment({ orderId, userId, amount, paymentMethod }, ctx) {
      if (amount === undefined) throw new CallError(callErrors.INVALID_REQUEST);
      const command = { orderId, userId, paymentMethod, amount: amount.minorUnits, currency: amount.currencyCode };
      const payment = await settleBy(app, ctx, orderId, (current, origin) => authorize(current, command, origin));
      return { payment: messageOf(payment) };
    },

    async capturePayment({ orderId, attempt }, ctx) {
      const key = captureKey(orderId, attempt);
      // Looked up after the payment was read: a refusal that is committed from then on moves its version, and the commit conflicts.
      const refusedWith = async (current: Payment | undefined) =>
        current?.status === "AUTHORIZED" ? app.payments.captureRefusal(current.id, key) : undefined;
      const payment = await settleBy(app, ctx, orderId, async (current, origin) =>
        capture(current, { key, refusedWith: await refusedWith(current) }, origin),
      );
      return { payment: messageOf(payment) };
    },

    async voidPayment({ orderId }, ctx) {
      await settleBy(app, ctx, orderId, (current, origin) => voidPayment(current, orderId, origin));
      return {};
    },

    async refundPayment({ id, amount, reason }, ctx) {
      const asked = amount && { minorUnits: amount.minorUnits, currency: amount.currencyCode };
      return { payment: messageOf(await app.refunds.refund({ id, amount: asked, reason }, ctx)) };
    },

    async resolvePaymentAttention({ id, reason }, ctx) {
      return { payment: messageOf(await resolveBy(app, ctx, id, reason)) };
    },

    async getPayment({ id }, ctx) {
      const payment = await app.payments.byId(id);
      const notFound = new CallError(errors.PAYMENT_NOT_FOUND);
      if (payment === undefined) throw notFound;
      requireOwner(ctx, payment.userId ?? "", notFound);
      return { payment: messageOf(payment) };
    },

    async listPayments(request, ctx) {
      const { caller } = ctx;
      const filter = {
        orderId: request.orderId === "" ? undefined : request.orderId,
        userId: caller.kind === "user" && caller.role === "CUSTOMER" ? caller.userId : undefined,
        attention: request.attention,
      };
      const { limit, after } = pageOf(request, filter, [isUuid]);
      const rows = await app.payments.list(filter, { limit: limit + 1, after: after?.[0] });
      const keysOf = ({ id }: Payment) => [id];
      const page = pageFrom(rows, { limit, filter, keysOf, messageOf, bytesOf });
      return { payments: page.messages, nextPageToken: page.nextPageToken };
    },
  };
}

/** Takes a payment off the list of those that wait for a person. */
async function resolveBy(app: Parts, ctx: CallContext, id: string, reason: string): Promise<Payment> {
  const origin = originOf(ctx, reason);
  for (let decisions = 0; decisions < decisionsMax; decisions++) {
    const before = await app.payments.byId(id);
    if (before === undefined) throw new CallError(errors.PAYMENT_NOT_FOUND);
    const step = resolveAttention(before);
    if (step.kind !== "START") return before;
    const changes = [{ field: "attention", before: before.attention?.reason }];
    const audit = auditOf(ctx, { subject: `payment:${before.id}`, changes });
    const committed = await app.payments.commit({ ...origin, before, event: step.event, time: app.now(), audit });
    if (committed.kind === "COMMITTED") return committed.payment;
  }
  throw new CallError(callErrors.CHANGED_MEANWHILE);
}

/**
 * Decides, does what the decision starts, and decides again, until there is nothing left to do: then the payment is what was asked
 * for. What others have in flight is finished on the way.
 */
async function settleBy(
  app: Parts,
  ctx: CallContext,
  orderId: string,
  decide: (payment: Payment | undefined, origin: OperationOrigin) => Step | Promise<Step>,
): Promise<Payment> {
  const origin = originOf(ctx, "");
  let current = await app.payments.byOrder(orderId);
  for (let decisions = 0; decisions < decisionsMax; decisions++) {
    const step = await decide(current, origin);
    // A step is DONE only where there is a payment: with none, each command starts something or refuses.
    if (step.kind === "DONE" && current !== undefined) return current;
    const fresh = step.kind === "START";
    if (step.kind === "START") {
      const committed = await app.payments.commit({ ...origin, before: current, event: step.event, time: app.now() });
      current = committed.kind === "COMMITTED" ? committed.payment : await app.payments.byOrder(orderId);
      if (committed.kind !== "COMMITTED") continue;
    }
    if (current?.operation === undefined) continue;
    const { operation, answer, payment } = await app.operations.finish(current, { fresh, isTold: fresh });
    // A refused authorization is told from the payment's state; the other refusals leave it as it was.
    const own = fresh && operation.kind !== "AUTHORIZE";
    if (own && answer.kind === "DECLINED") throw refusalOf(operation.kind, answer.code, payment.status);
    current = payment;
  }
  throw new CallError(callErrors.CHANGED_MEANWHILE);
}
