import type { JsonValue } from "@rialto/database";
import type { AttentionReason, Operation, Payment, PaymentEvent, PaymentStatus } from "./state.ts";

/** The columns of `payment` beside id and version, and their types. */
export const rowColumns = {
  order_id: "uuid",
  user_id: "uuid",
  status: "text",
  amount: "bigint",
  currency: "text",
  captured: "bigint",
  refunded: "bigint",
  payment_method: "text",
  decline_code: "text",
  operation: "jsonb",
  attention_reason: "text",
  attention_detail: "text",
  attention_since: "timestamptz",
  create_time: "timestamptz",
  update_time: "timestamptz",
} as const;

/** A row as the driver reads it. */
export interface PaymentRow {
  readonly id: string;
  readonly version: number;
  readonly order_id: string;
  readonly user_id: string | null;
  readonly status: PaymentStatus;
  readonly amount: bigint;
  readonly currency: string | null;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly payment_method: string | null;
  readonly decline_code: string | null;
  readonly operation: OperationJson | null;
  readonly attention_reason: AttentionReason | null;
  readonly attention_detail: string | null;
  readonly attention_since: Date | null;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** An operation as JSON keeps it. */
type OperationJson = Omit<Operation, "amount"> & { readonly amount: string };

/** The payment's row, for the combined commit: int64 as text. */
export function rowOf(payment: Payment): Record<keyof typeof rowColumns, JsonValue> {
  return {
    order_id: payment.orderId,
    user_id: payment.userId ?? null,
    status: payment.status,
    amount: String(payment.amount),
    currency: payment.currency ?? null,
    captured: String(payment.captured),
    refunded: String(payment.refunded),
    payment_method: payment.paymentMethod ?? null,
    decline_code: payment.declineCode ?? null,
    operation: payment.operation === undefined ? null : operationJson(payment.operation),
    attention_reason: payment.attention?.reason ?? null,
    attention_detail: payment.attention?.detail ?? null,
    attention_since: payment.attention?.since.toISOString() ?? null,
    create_time: payment.createTime.toISOString(),
    update_time: payment.updateTime.toISOString(),
  };
}

export function paymentOf(row: PaymentRow): Payment {
  return {
    id: row.id,
    version: row.version,
    orderId: row.order_id,
    userId: row.user_id ?? undefined,
    status: row.status,
    amount: row.amount,
    currency: row.currency ?? undefined,
    captured: row.captured,
    refunded: row.refunded,
    paymentMethod: row.payment_method ?? undefined,
    declineCode: row.decline_code ?? undefined,
    operation: row.operation === null ? undefined : { ...row.operation, amount: BigInt(row.operation.amount) },
    attention: attentionOf(row),
    createTime: row.create_time,
    updateTime: row.update_time,
  };
}

function attentionOf({ attention_reason: reason, attention_detail: detail, attention_since: since }: PaymentRow) {
  // The row's check sees to it that all three are there, or none.
  return reason === null || detail === null || since === null ? undefined : { reason, detail, since };
}

/** What the log keeps of an event beside its type. */
export function jsonOf(event: PaymentEvent): JsonValue {
  const { type: _, ...rest } = event;
  const json: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(rest)) {
    if (typeof value === "bigint") json[name] = String(value);
    else json[name] = typeof value === "object" ? operationJson(value) : value;
  }
  return json;
}

/** The event that `jsonOf` wrote. */
export function eventOf(type: string, payload: JsonValue): PaymentEvent {
  const { amount, operation, ...rest } = payload as { amount?: string; operation?: OperationJson };
  // The log has only one writer, `jsonOf`, and what it writes has this shape.
  return {
    ...rest,
    type,
    ...(amount === undefined ? {} : { amount: BigInt(amount) }),
    ...(operation === undefined ? {} : { operation: { ...operation, amount: BigInt(operation.amount) } }),
  } as PaymentEvent;
}

function operationJson(operation: Operation): { [name: string]: JsonValue } {
  return { ...operation, amount: String(operation.amount) };
}
