import { fromJson, toJson } from "@bufbuild/protobuf";
import {
  type InventoryService,
  ProductErrorReason,
  type ReserveStockRequest,
  StockSchema,
  type TracedReservation,
} from "@rialto/contracts";
import { type Database, once, recordAudit } from "@rialto/database";
import { auditChanges, auditOf, type CallContext, CallError, callErrors, callerName, type Handlers } from "@rialto/rpc";
import {
  continueTrace,
  currentSpan,
  type Logger,
  type RecordedSpan,
  rialtoNames,
  runSpan,
  runUnrecorded,
} from "@rialto/telemetry";
import { v7 as uuid } from "uuid";
import { errors } from "../errors.ts";
import { isVisible } from "../product/state.ts";
import { insertAdjustment, type ProductStore } from "../product/store.ts";
import { stockMessage } from "../stock/message.ts";
import type { StockOutcome } from "../stock/state.ts";
import { applyDecisions, type OrderDecision, readStock, type StockStore } from "../stock/store.ts";

interface Parts {
  readonly database: Database;
  readonly products: ProductStore;
  readonly stock: StockStore;
  readonly log: Logger;
}

/** The RPC handlers of the stock. */
export function inventory({ database, products, stock, log }: Parts): Handlers<typeof InventoryService> {
  return {
    async adjustStock({ productId, delta, reason }, ctx) {
      if (ctx.idempotencyKey === undefined) throw new CallError(errors.ADJUSTMENT_KEY_REQUIRED);
      const answer = await once(database.sql, ctx.idempotencyKey, async (tx) => {
        const [outcome] = await applyDecisions(tx, [{ kind: "adjust", productId, delta }]);
        requireDone(outcome);
        const actor = callerName(ctx.caller);
        await insertAdjustment(tx, { id: uuid(), productId, delta, reason, actor, time: ctx.now });
        const [after] = await readStock(tx, [productId]);
        if (after === undefined) throw new CallError(errors.PRODUCT_NOT_FOUND);
        const before = { ...after, onHand: after.onHand - delta };
        const changes = auditChanges(before, after, { on_hand: ({ onHand }) => onHand });
        await recordAudit(tx, auditOf(ctx, { subject: `product:${productId}`, changes }));
        return toJson(StockSchema, stockMessage(after));
      });
      return { stock: fromJson(StockSchema, answer) };
    },

    async reserveStock(request, ctx) {
      const outcome = await stock.decide(reservationOf(request), ctx);
      requireDone(request.userId === "" ? asVersion01(outcome) : outcome);
      return {};
    },

    async batchReserveStock({ reservations }, ctx) {
      const traced = reservations.map((one) => ({ ...one, span: beginReservation(one) }));
      const decided = await Promise.allSettled(traced.map((one) => reserveTraced(stock, one, ctx)));
      const outcomes = decided.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      for (const [n, one] of decided.entries()) logOutcome(log, { ...traced[n], requestId: ctx.requestId }, one);
      // Where nothing was decided, the error tells more than an empty answer.
      const failed = decided.find((one) => one.status === "rejected");
      if (failed !== undefined && outcomes.length === 0) throw failed.reason;
      return { outcomes };
    },

    async releaseStock({ orderId }, ctx) {
      requireDone(await stock.decide({ kind: "release", orderId }, ctx));
      return {};
    },

    async commitStock({ orderId }, ctx) {
      requireDone(await stock.decide({ kind: "commit", orderId }, ctx));
      return {};
    },

    async getStock({ productId }, { caller }) {
      const [[product], found] = await Promise.all([products.byIds([productId]), stock.read(productId)]);
      if (product === undefined || found === undefined || !isVisible(product, caller))
        throw new CallError(errors.PRODUCT_NOT_FOUND);
      return { stock: stockMessage(found) };
    },
  };
}

function reservationOf({ orderId, items, userId }: ReserveStockRequest): OrderDecision {
  const requested = items.map((item) => ({ productId: item.productId, quantity: item.quantity }));
  return { kind: "reserve", orderId, items: requested, userId: userId === "" ? undefined : userId };
}

type Traced = Pick<TracedReservation, "reservation" | "traceparent"> & { readonly span: RecordedSpan | undefined };

/** Begins the span of one reservation of a batch, in the trace of its order where that is recorded. */
function beginReservation({ reservation, traceparent }: TracedReservation): RecordedSpan | undefined {
  return currentSpan()?.inTrace(traceparent, "reserve stock", {
    attributes: { [rialtoNames.orderId]: reservation?.orderId },
  });
}

/** Decides one reservation of a batch, as the work of its span; never as that of the call, which is of other orders. */
function reserveTraced(stock: StockStore, { reservation, span }: Traced, ctx: CallContext) {
  if (span === undefined) return runUnrecorded(() => reserve(stock, reservation, ctx));
  return runSpan(span, () => reserve(stock, reservation, ctx));
}

/** Decides one reservation of a batch. Those of one call are asked for in one turn, so they share a transaction. */
async function reserve(stock: StockStore, request: ReserveStockRequest | undefined, ctx: CallContext) {
  if (request === undefined) throw new CallError(callErrors.INVALID_REQUEST);
  const outcome = await stock.decide(reservationOf(request), ctx);
  const refusal = outcome.kind === "DONE" ? undefined : ProductErrorReason[outcome.reason];
  return { orderId: request.orderId, reserved: refusal === undefined, ...(refusal !== undefined && { refusal }) };
}

/**
 * Logs how a reservation of a batch ended, in the trace of its order, at the levels of a call of its own. The log is
 * the service's: that of the call has the trace of the batch.
 */
function logOutcome(
  log: Logger,
  { requestId, reservation, traceparent = "", span }: Partial<Traced> & { readonly requestId: string },
  decided: PromiseSettledResult<{ readonly refusal?: ProductErrorReason }>,
): void {
  const { traceId, spanId } = span ?? { traceId: continueTrace(traceparent).traceId, spanId: undefined };
  const line = { requestId, orderId: reservation?.orderId, traceId, spanId };
  if (decided.status === "rejected") log.warn({ ...line, err: decided.reason }, "reservation not decided");
  else if (decided.value.refusal === undefined) log.debug(line, "reserved");
  else log.info({ ...line, reason: ProductErrorReason[decided.value.refusal] }, "reservation refused");
}

/** The outcome for an order service of version 0.1, which treats an unknown reason as a defect. */
function asVersion01(outcome: StockOutcome): StockOutcome {
  if (outcome.kind === "DONE" || outcome.reason !== "QUANTITY_LIMIT") return outcome;
  return { ...outcome, reason: "OUT_OF_STOCK" };
}

function requireDone(outcome: StockOutcome | undefined): void {
  if (outcome?.kind === "REFUSED") throw refusalOf(outcome);
}

function refusalOf({ reason, productId }: Extract<StockOutcome, { kind: "REFUSED" }>): CallError {
  return new CallError(errors[reason], productId === undefined ? {} : { metadata: { product_id: productId } });
}
