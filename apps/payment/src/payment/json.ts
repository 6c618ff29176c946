import type { JsonValue } from "@rialto/database";
import type { OperationJson } from "../schema.ts";
import { isEventKind, type PaymentEvent } from "./events.ts";
import type { Operation } from "./state.ts";

/** The operation for a jsonb column. */
export function operationToJson(operation: Operation): OperationJson {
  return { ...operation, amount: String(operation.amount) };
}

/** The operation from a jsonb column. */
export function operationFromJson(operation: OperationJson): Operation {
  return { ...operation, amount: BigInt(operation.amount) };
}

/** The payload of an event in the log: its fields without the kind, which is the log's type. int64 is kept as text. */
export function eventToJson(event: PaymentEvent): JsonValue {
  const { kind: _, ...fields } = event;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value === "bigint") return [name, String(value)];
      return [name, typeof value === "object" ? operationToJson(value) : value];
    }),
  );
}

/** Reads an event back from the log. Throws on a kind that this version does not know. */
export function eventFromJson(kind: string, payload: unknown): PaymentEvent {
  if (!isEventKind(kind)) throw new Error(`the log holds a ${kind}, which this version does not know`);
  const { amount, operation, ...fields } = payload as { amount?: string; operation?: OperationJson };
  // The log has one writer, eventToJson: the fields are those of this kind of event.
  return {
    kind,
    ...fields,
    ...(amount === undefined ? {} : { amount: BigInt(amount) }),
    ...(operation === undefined ? {} : { operation: operationFromJson(operation) }),
  } as PaymentEvent;
}
