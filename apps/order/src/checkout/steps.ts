import { type InventoryService, Payment_Status, type PaymentService } from "@rialto/contracts";
import { type Client, callErrors, type Origin, refuse } from "@rialto/rpc";
import type { AttentionReason, Order, RejectionReason } from "../order/state.ts";
import type { Command } from "../order/transitions.ts";

/**
 * The checkout: what brings an order from where it stands to where it rests. `advance.ts` runs this table.
 *
 *     PENDING --reserve-stock--> STOCK_RESERVED --authorize-payment--> CONFIRMED (at rest)
 *        |                            |
 *        | refused                    | refused: undo reserve-stock
 *        v                            v
 *     REJECTED(OUT_OF_STOCK or     REJECTED(PAYMENT_DECLINED); where the payment is another than the order's (PAYMENT_MISMATCH)
 *              QUANTITY_LIMIT)     it waits for a person: COMPENSATION_FAILED
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
 * **Who owns what.** The order row and its log belong to this service and change only by a commit at the version that was read.
 * The reservation belongs to the product service, the payment to the payment service; each keeps one per order, by the order's id.
 *
 * **Theory of operation.** What is about to be done is stored before it is done: the state names the steps that may run, so
 * whoever finds the order knows what to do. A step's effect is keyed by the order's id, so running it twice is running it once.
 * Then the decision is committed at the version that the step began with. Only reserve-stock may lead to STOCK_RESERVED, only
 * authorize-payment to CONFIRMED, only the SHIPPING steps to SHIPPED, only the undos to CANCELLED.
 *
 * **What may run at the same time.** Any number of workers on one order: the event, its repetition, the sweeper, another replica. All
 * but one lose the commit, read again and decide again. A person's request is such a commit too: a cancel that comes while a step is
 * in flight makes that step's commit fail, and the next round undoes the step. A worker that was frozen meanwhile may act late: every
 * undo leaves a tombstone where there was nothing to undo, so the late action is refused, and its commit fails. SHIP and CANCEL
 * exclude each other in the log, so no capture is begun for an order that is being cancelled.
 *
 * **A refusal for good is one for ever.** That there is too little in stock is true for a moment only, so both services keep their "no" with
 * the order and give it again, whatever has become of stock or card. A capture may be tried again by a person: its "no" is kept with the
 * version that asked. Hence what is decided on a refusal, and undone for it before the commit, cannot be contradicted by a worker that
 * asks later.
 *
 * **What fails.** When a service is down the step throws and is tried again later, forever; nothing is decided. What is refused for
 * good is decided at once by `onRefused`; a rejection first undoes the steps before it. An undo that is refused for good leaves the order to a person.
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

/** The services that the saga acts on, by what it asks of them. */
export interface CheckoutCalls {
  readonly stock: Pick<Client<typeof InventoryService>, "reserveStock" | "releaseStock" | "commitStock">;
  readonly payments: Pick<Client<typeof PaymentService>, "authorizePayment" | "capturePayment" | "voidPayment">;
}

export interface Step {
  readonly name: string;
  /** The state that says that this step is due. Steps of one state run one after the other. */
  readonly at: "PENDING" | "STOCK_RESERVED" | "SHIPPING";
  /** The effect, and what to decide once it is there; undefined where the next step of the state decides. */
  readonly run: (calls: CheckoutCalls, order: Order, origin: Origin) => Promise<Command | undefined>;
  /** Takes the effect back, or sees to it that it never comes. A step without one is past the point of no return. */
  readonly undo?: (calls: CheckoutCalls, order: Order, origin: Origin) => Promise<void>;
  /** What to decide when the step is refused for this reason; undefined where the reason is no answer but a defect. */
  readonly onRefused: (reason: string, order: Order) => Command | undefined;
}

async function reserveStock({ stock }: CheckoutCalls, order: Order, origin: Origin): Promise<Command> {
  const items = order.items.map(({ productId, quantity }) => ({ productId, quantity }));
  await stock.reserveStock({ orderId: order.id, items, userId: order.userId }, origin);
  return { kind: "stockReserved" };
}

async function releaseStock({ stock }: CheckoutCalls, order: Order, origin: Origin): Promise<void> {
  await stock.releaseStock({ orderId: order.id }, origin);
}

function reservationRefused(reason: string): Command | undefined {
  if (reason === "QUANTITY_LIMIT") return { kind: "reject", reason };
  // RESERVATION_RELEASED: this worker is late and the order has moved on. Its commit will tell.
  return rejectFor(reason, ["OUT_OF_STOCK", "PRODUCT_NOT_FOUND", "RESERVATION_RELEASED"], "OUT_OF_STOCK");
}

async function authorizePayment({ payments }: CheckoutCalls, order: Order, origin: Origin): Promise<Command> {
  const { payment } = await payments.authorizePayment(
    {
      orderId: order.id,
      userId: order.userId,
      amount: { currencyCode: order.currency, minorUnits: order.total },
      paymentMethod: order.paymentMethod,
    },
    origin,
  );
  if (payment?.status === Payment_Status.PENDING) throw refuse(callErrors.TEMPORARILY_UNAVAILABLE);
  return { kind: "confirm", authorized: payment?.amount?.minorUnits ?? 0n };
}

async function voidPayment({ payments }: CheckoutCalls, order: Order, origin: Origin): Promise<void> {
  await payments.voidPayment({ orderId: order.id }, origin);
}

function paymentRefused(reason: string): Command | undefined {
  // There is a payment with other figures, which may hold or have taken money: neither a retry nor a rejection makes that good.
  if (reason === "PAYMENT_MISMATCH") return raise("COMPENSATION_FAILED", reason);
  // PAYMENT_VOIDED: as RESERVATION_RELEASED above.
  return rejectFor(reason, ["PAYMENT_DECLINED", "PAYMENT_VOIDED"], "PAYMENT_DECLINED");
}

async function capturePayment({ payments }: CheckoutCalls, order: Order, origin: Origin): Promise<undefined> {
  const { payment } = await payments.capturePayment({ orderId: order.id, attempt: order.version }, origin);
  if (payment?.captured?.minorUnits !== order.total)
    throw new Error(`order ${order.id}: ${payment?.captured?.minorUnits} was captured of ${order.total}`);
}

function captureRefused(reason: string): Command | undefined {
  if (reason === "AUTHORIZATION_EXPIRED") return raise("AUTHORIZATION_EXPIRED", reason);
  const refused = ["CAPTURE_REFUSED", "PAYMENT_NOT_FOUND", "PAYMENT_VOIDED", "PAYMENT_DECLINED"].includes(reason);
  return refused ? raise("CAPTURE_REFUSED", reason) : undefined;
}

async function commitStock({ stock }: CheckoutCalls, order: Order, origin: Origin): Promise<Command> {
  await stock.commitStock({ orderId: order.id }, origin);
  return { kind: "shipped", captured: order.total };
}

function stockLost(reason: string, order: Order): Command | undefined {
  if (reason !== "RESERVATION_NOT_FOUND" && reason !== "RESERVATION_RELEASED") return undefined;
  // The step before has captured. The order says so, so that the money can be found and given back.
  return { ...raise("STOCK_LOST", reason), captured: order.total };
}

/** What to decide when an undo is refused for this reason; undefined where the reason is no answer but a defect. */
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
