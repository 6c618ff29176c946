import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  AuthorizePaymentResponseSchema,
  CapturePaymentResponseSchema,
  CommitStockResponseSchema,
  Payment_Status,
  ReleaseStockResponseSchema,
  ReserveStockResponseSchema,
  VoidPaymentResponseSchema,
} from "@rialto/contracts";
import { CallError } from "@rialto/rpc";
import type { CheckoutCalls } from "../src/checkout/steps.ts";

/** One order's reservation and payment, as their services keep them. */
export interface Holdings {
  readonly reservation: "NONE" | "REFUSED" | "RESERVED" | "RELEASED" | "COMMITTED";
  readonly payment: "NONE" | "AUTHORIZED" | "DECLINED" | "VOIDED" | "CAPTURED" | "REFUNDED";
}

/** Called before and after the effect of every call. What it throws is what the caller gets. */
export interface Interference {
  before?(method: string, orderId: string): void | Promise<void>;
  after?(method: string, orderId: string): void | Promise<void>;
}

/** The product and the payment service in memory, tombstones and all, behind the interface that the saga calls. */
export interface FakeServices {
  readonly calls: CheckoutCalls;
  readonly effects: readonly string[];
  /** Set by tests to get in the way. */
  interference: Interference;
  card: "approved" | "declined";
  /** How many attempts to capture the card network refuses before it lets one pass. */
  refusesCaptures: number;
  /** A person gives back all that was captured. */
  refund(orderId: string): void;
  holdings(orderId: string): Holdings;
  available(): number;
  restock(quantity: number): void;
}

export function down(): CallError {
  return new CallError({ message: "down", code: "unavailable", reason: "TEMPORARILY_UNAVAILABLE" }, { remote: true });
}

export function refusal(reason: string): CallError {
  return new CallError({ message: reason, code: "failed_precondition", reason }, { remote: true });
}

export function fakeServices(o: { available?: number } = {}): FakeServices {
  const reservations = new Map<string, { state: Holdings["reservation"]; quantity: number }>();
  const payments = new Map<string, { state: Holdings["payment"]; amount: bigint }>();
  const refusedAttempts = new Set<string>();
  const effects: string[] = [];
  let available = o.available ?? 10;

  /**
   * One call: the answer, or the refusal, that the state of the order's holdings gives. Effects are noted once they
   * happen.
   */
  function call<I extends { orderId?: string }, O extends DescMessage>(
    method: string,
    schema: O,
    act: (request: I, orderId: string, effect: () => void) => MessageInitShape<O> | string,
  ) {
    return async (request: I): Promise<MessageShape<O>> => {
      const orderId = request.orderId ?? "";
      await services.interference.before?.(method, orderId);
      const answer = act(request, orderId, () => effects.push(method));
      if (typeof answer === "string") throw refusal(answer);
      await services.interference.after?.(method, orderId);
      return create(schema, answer);
    };
  }

  const reservationOf = (orderId: string) => reservations.get(orderId)?.state ?? "NONE";
  const paymentOf = (orderId: string) => payments.get(orderId)?.state ?? "NONE";

  const services: FakeServices = {
    effects,
    interference: {},
    card: "approved",
    refusesCaptures: 0,
    refund(orderId) {
      const payment = payments.get(orderId);
      if (payment?.state === "CAPTURED") payments.set(orderId, { ...payment, state: "REFUNDED" });
    },
    available: () => available,
    restock(quantity) {
      available += quantity;
    },
    holdings: (orderId) => ({ reservation: reservationOf(orderId), payment: paymentOf(orderId) }),
    calls: {
      stock: {
        reserveStock: call("reserveStock", ReserveStockResponseSchema, ({ items = [] }: Items, orderId, effect) => {
          const state = reservationOf(orderId);
          if (state === "RESERVED" || state === "COMMITTED") return {};
          if (state === "RELEASED") return "RESERVATION_RELEASED";
          const quantity = items.reduce((sum, item) => sum + (item.quantity ?? 0), 0);
          if (state === "REFUSED" || quantity > available) {
            reservations.set(orderId, { state: "REFUSED", quantity: 0 });
            return "OUT_OF_STOCK";
          }
          available -= quantity;
          reservations.set(orderId, { state: "RESERVED", quantity });
          effect();
          return {};
        }),
        releaseStock: call("releaseStock", ReleaseStockResponseSchema, (_, orderId, effect) => {
          const state = reservationOf(orderId);
          if (state === "COMMITTED") return "RESERVATION_COMMITTED";
          if (state === "RELEASED" || state === "REFUSED") return {};
          available += reservations.get(orderId)?.quantity ?? 0;
          reservations.set(orderId, { state: "RELEASED", quantity: 0 });
          effect();
          return {};
        }),
        commitStock: call("commitStock", CommitStockResponseSchema, (_, orderId, effect) => {
          const reservation = reservations.get(orderId);
          if (reservation === undefined || reservation.state === "REFUSED") return "RESERVATION_NOT_FOUND";
          if (reservation.state === "RELEASED") return "RESERVATION_RELEASED";
          if (reservation.state === "RESERVED") effect();
          reservations.set(orderId, { ...reservation, state: "COMMITTED" });
          return {};
        }),
      },
      payments: {
        authorizePayment: call(
          "authorizePayment",
          AuthorizePaymentResponseSchema,
          (request: Amount, orderId, effect) => {
            const state = paymentOf(orderId);
            if (state === "VOIDED") return "PAYMENT_VOIDED";
            if (state === "DECLINED" || (state === "NONE" && services.card === "declined")) {
              payments.set(orderId, { state: "DECLINED", amount: 0n });
              return "PAYMENT_DECLINED";
            }
            const amount = request.amount?.minorUnits ?? 0n;
            if (state === "NONE") {
              payments.set(orderId, { state: "AUTHORIZED", amount });
              effect();
            }
            return {
              payment: { status: Payment_Status.AUTHORIZED, amount: { currencyCode: "EUR", minorUnits: amount } },
            };
          },
        ),
        capturePayment: call(
          "capturePayment",
          CapturePaymentResponseSchema,
          ({ attempt }: Attempt, orderId, effect) => {
            const payment = payments.get(orderId);
            if (payment === undefined) return "PAYMENT_NOT_FOUND";
            if (payment.state === "VOIDED") return "PAYMENT_VOIDED";
            if (payment.state === "DECLINED") return "PAYMENT_DECLINED";
            if (payment.state === "AUTHORIZED") {
              const key = `${orderId} ${attempt}`;
              if (refusedAttempts.has(key)) return "CAPTURE_REFUSED";
              if (services.refusesCaptures > 0) {
                services.refusesCaptures -= 1;
                refusedAttempts.add(key);
                return "CAPTURE_REFUSED";
              }
              payments.set(orderId, { ...payment, state: "CAPTURED" });
              effect();
            }
            return {
              payment: {
                status: Payment_Status.CAPTURED,
                captured: { currencyCode: "EUR", minorUnits: payment.amount },
              },
            };
          },
        ),
        voidPayment: call("voidPayment", VoidPaymentResponseSchema, (_, orderId, effect) => {
          const state = paymentOf(orderId);
          if (state === "CAPTURED") return "PAYMENT_CAPTURED";
          if (state === "DECLINED" || state === "VOIDED" || state === "REFUNDED") return {};
          payments.set(orderId, { state: "VOIDED", amount: 0n });
          effect();
          return {};
        }),
      },
    },
  };
  return services;
}

interface Items {
  readonly orderId?: string;
  readonly items?: readonly { readonly quantity?: number }[];
}

interface Attempt {
  readonly orderId?: string;
  readonly attempt?: number;
}

interface Amount {
  readonly orderId?: string;
  readonly amount?: { readonly minorUnits?: bigint } | undefined;
}
