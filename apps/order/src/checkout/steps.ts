import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type InventoryService,
  Payment_Status,
  type PaymentService,
  type ReserveStockRequestSchema,
} from "@rialto/contracts";
import { CallError, type Client, callErrors, type PropagatedContext } from "@rialto/rpc";
import type { Order } from "../order/state.ts";
import type { Command } from "../order/transitions.ts";
import type { AttentionReason, RejectionReason } from "../statuses.ts";

/**
 * The checkout: the steps that bring an order to a state in which it rests. `advance.ts` runs this table.
 *
 *     PENDING --reserve-stock--> STOCK_RESERVED --authorize-payment--> CONFIRMED (at rest)
 *        |                            |
 *        | refused                    | refused: undo reserve-stock
 *        v                            v
 *     REJECTED(OUT_OF_STOCK or     REJECTED(PAYMENT_DECLINED), or, by PAYMENT_MISMATCH,
 *              QUANTITY_LIMIT)     waits for a person: COMPENSATION_FAILED
 *
 *     SHIPPING (CONFIRMED, SHIP pending) --capture-payment, commit-stock--> SHIPPED (at rest)
 *        | refused                                            ^ ShipOrder again
 *        v                                                    |
 *     waits for a person: CAPTURE_REFUSED, AUTHORIZATION_EXPIRED, STOCK_LOST --CancelOrder by an admin--> CANCELLING
 *
 *     CANCELLING (PENDING, STOCK_RESERVED or CONFIRMED, CANCEL pending) --every undo, last step first--> CANCELLED
 *        | refused
 *        v
 *     waits for a person: COMPENSATION_FAILED --CancelOrder by an admin--> CANCELLING
 *
 * **Who owns what.** The order's row and log belong to this service and change only by a commit at the version that was
 * read. The reservation belongs to the product service, the payment to the payment service. Each keeps one per order,
 * by the order's id.
 *
 * **Theory of operation.** A step's effect is announced before it happens: the order's state names the steps that may
 * run, so any worker that reads the order knows what to do. The effect is keyed by the order's id: running a step twice
 * has one effect. Then the decision is committed at the version that the step began with. Only reserve-stock may lead
 * to STOCK_RESERVED, only authorize-payment to CONFIRMED, only the SHIPPING steps to SHIPPED, only the undos to
 * CANCELLED.
 *
 * **What may run at the same time.** Any number of workers on one order: the event, its redelivery, the schedule,
 * another replica. All but one lose the commit, read again and decide again. A person's request is such a commit too: a
 * cancellation during a step makes that step's commit fail, and the next round undoes the step. A worker that was
 * frozen may act late: an undo that finds nothing to undo leaves a tombstone, so the late action is refused, and its
 * commit fails. SHIP and CANCEL exclude each other in the log, so no capture begins for an order that is being
 * cancelled.
 *
 * **What travels together.** Orders whose events are in one job are read together, and their reservations are one
 * call (`reserve-together.ts`); what they commit at the same moment is one statement. Each order is decided by its own
 * answer, and by nothing that another one got. Payments and undos are calls of one order each.
 *
 * **A permanent refusal stays one.** Stock can be too low for a moment only, so both services store their refusal with
 * the order and repeat it, whatever happens to the stock or the card. A person may have a capture tried again: its
 * refusal is stored with the version that asked. Hence a decision on a refusal, and the undos before its commit, cannot
 * be contradicted by a worker that asks later.
 *
 * **What fails.** When a service is down the step throws and is tried again later, without end; nothing is decided. A
 * permanent refusal is decided at once by `onRefused`; a rejection first undoes the steps before it. An undo that is
 * refused permanently leaves the order to a person.
 */
export const checkout: readonly Step[] = [
  { name: "reserve-stock", at: "PENDING", run: reserveStock, undo: releaseStock, onRefused: reservationRefused },
  {
    name: "authorize-payment",
    at: "STOCK_RESERVED",
    run: authorizePayment,
    undo: voidPayment,
    onRefused: paymentRefused,
  },
  { name: "capture-payment", at: "SHIPPING", run: capturePayment, onRefused: captureRefused },
  { name: "commit-stock", at: "SHIPPING", run: commitStock, onRefused: stockLost },
];

/** The calls to other services that the steps make. */
export interface CheckoutCalls {
  readonly stock: Pick<Client<typeof InventoryService>, "releaseStock" | "commitStock"> & {
    reserveStock(
      request: MessageInitShape<typeof ReserveStockRequestSchema>,
      context: PropagatedContext,
    ): Promise<unknown>;
  };
  readonly payments: Pick<Client<typeof PaymentService>, "authorizePayment" | "capturePayment" | "voidPayment">;
}

export interface Step {
  readonly name: string;
  /** The state in which this step runs. Steps of one state run in the table's order. */
  readonly at: "PENDING" | "STOCK_RESERVED" | "SHIPPING";
  /** Has the effect, and returns the command to decide then; undefined where the next step of the state decides. */
  readonly run: (calls: CheckoutCalls, order: Order, context: PropagatedContext) => Promise<Command | undefined>;
  /** Reverts the effect, or prevents it. A step without one is past the point of no return. */
  readonly undo?: (calls: CheckoutCalls, order: Order, context: PropagatedContext) => Promise<void>;
  /** The command to decide when the step is refused for this reason; undefined where the reason is a defect. */
  readonly onRefused: (reason: string, order: Order) => Command | undefined;
}

async function reserveStock({ stock }: CheckoutCalls, order: Order, context: PropagatedContext): Promise<Command> {
  const items = order.items.map(({ productId, quantity }) => ({ productId, quantity }));
  await stock.reserveStock({ orderId: order.id, items, userId: order.userId }, context);
  return { kind: "stockReserved" };
}

async function releaseStock({ stock }: CheckoutCalls, order: Order, context: PropagatedContext): Promise<void> {
  await stock.releaseStock({ orderId: order.id }, context);
}

function reservationRefused(reason: string): Command | undefined {
  if (reason === "QUANTITY_LIMIT") return { kind: "reject", reason };
  // RESERVATION_RELEASED: this worker is late and the order has changed. Its commit will conflict.
  return rejectFor(reason, ["OUT_OF_STOCK", "PRODUCT_NOT_FOUND", "RESERVATION_RELEASED"], "OUT_OF_STOCK");
}

async function authorizePayment(
  { payments }: CheckoutCalls,
  order: Order,
  context: PropagatedContext,
): Promise<Command> {
  const { payment } = await payments.authorizePayment(
    {
      orderId: order.id,
      userId: order.userId,
      amount: { currencyCode: order.currency, minorUnits: order.total },
      paymentMethod: order.paymentMethod,
    },
    context,
  );
  if (payment?.status === Payment_Status.PENDING) throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
  return { kind: "confirm", authorized: payment?.amount?.minorUnits ?? 0n };
}

async function voidPayment({ payments }: CheckoutCalls, order: Order, context: PropagatedContext): Promise<void> {
  await payments.voidPayment({ orderId: order.id }, context);
}

function paymentRefused(reason: string): Command | undefined {
  // A payment with other figures exists, which may hold or have captured money. Neither a retry nor a rejection repairs
  // that.
  if (reason === "PAYMENT_MISMATCH") return raise("COMPENSATION_FAILED", reason);
  // PAYMENT_VOIDED: like RESERVATION_RELEASED above.
  return rejectFor(reason, ["PAYMENT_DECLINED", "PAYMENT_VOIDED"], "PAYMENT_DECLINED");
}

async function capturePayment(
  { payments }: CheckoutCalls,
  order: Order,
  context: PropagatedContext,
): Promise<undefined> {
  const { payment } = await payments.capturePayment({ orderId: order.id, attempt: order.version }, context);
  if (payment?.captured?.minorUnits !== order.total)
    throw new Error(`order ${order.id}: ${payment?.captured?.minorUnits} was captured of ${order.total}`);
}

function captureRefused(reason: string): Command | undefined {
  if (reason === "AUTHORIZATION_EXPIRED") return raise("AUTHORIZATION_EXPIRED", reason);
  const refused = ["CAPTURE_REFUSED", "PAYMENT_NOT_FOUND", "PAYMENT_VOIDED", "PAYMENT_DECLINED"].includes(reason);
  return refused ? raise("CAPTURE_REFUSED", reason) : undefined;
}

async function commitStock({ stock }: CheckoutCalls, order: Order, context: PropagatedContext): Promise<Command> {
  await stock.commitStock({ orderId: order.id }, context);
  return { kind: "shipped", captured: order.total };
}

function stockLost(reason: string, order: Order): Command | undefined {
  if (reason !== "RESERVATION_NOT_FOUND" && reason !== "RESERVATION_RELEASED") return undefined;
  // The step before has captured. The order records it, so that the money can be found and refunded.
  return { ...raise("STOCK_LOST", reason), captured: order.total };
}

/** The command to decide when an undo is refused for this reason; undefined where the reason is a defect. */
export function undoRefused(reason: string): Command | undefined {
  const refused = ["RESERVATION_COMMITTED", "PAYMENT_CAPTURED", "VOID_REFUSED"].includes(reason);
  return refused ? raise("COMPENSATION_FAILED", reason) : undefined;
}

function rejectFor(reason: string, reasons: readonly string[], rejection: RejectionReason): Command | undefined {
  return reasons.includes(reason) ? { kind: "reject", reason: rejection } : undefined;
}

function raise(reason: AttentionReason, detail: string) {
  return { kind: "raiseAttention", reason, detail } as const;
}
