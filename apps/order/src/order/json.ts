import type { JsonValue } from "@rialto/database";
import type { AddressJson, LineJson } from "../schema.ts";
import { isEventKind, type OrderEvent, type PlacedEvent } from "./events.ts";
import type { Address, OrderLine } from "./state.ts";

/** The lines for a jsonb column. */
export function linesToJson(lines: readonly OrderLine[]): LineJson[] {
  return lines.map((line) => ({ ...line, unitPrice: String(line.unitPrice), total: String(line.total) }));
}

/** The lines from a jsonb column. */
export function linesFromJson(lines: readonly LineJson[]): OrderLine[] {
  return lines.map(({ productId, name, unitPrice, quantity, total }) => ({
    productId,
    name,
    unitPrice: BigInt(unitPrice),
    quantity,
    total: BigInt(total),
  }));
}

/** The address for a jsonb column: the fields that it has here, whatever else came with it. */
export function addressToJson({ name, lines, city, postalCode, countryCode }: Address): AddressJson {
  return { name, lines: [...lines], city, postalCode, countryCode };
}

/** The payload of an event in the log: its fields without the kind, which is the log's type. int64 is kept as text. */
export function eventToJson(event: OrderEvent): JsonValue {
  if (event.kind === "PLACED") return placedToJson(event);
  const { kind: _, ...fields } = event;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "bigint" ? String(value) : value]),
  );
}

/** Reads an event back from the log. Throws on a kind that this version does not know. */
export function eventFromJson(kind: string, payload: unknown): OrderEvent {
  if (!isEventKind(kind)) throw new Error(`the log holds a ${kind}, which this version does not know`);
  if (kind === "PLACED") return placedFromJson(payload as PlacedJson);
  // The log has one writer, eventToJson: the fields are those of this kind of event.
  const { captured, refunded, ...fields } = payload as { captured?: string; refunded?: string };
  return {
    kind,
    ...fields,
    ...(captured === undefined ? {} : { captured: BigInt(captured) }),
    ...(refunded === undefined ? {} : { refunded: BigInt(refunded) }),
  } as OrderEvent;
}

type PlacedJson = ReturnType<typeof placedToJson>;

function placedToJson(event: PlacedEvent) {
  return {
    userId: event.userId,
    items: linesToJson(event.items),
    currency: event.currency,
    total: String(event.total),
    paymentMethod: event.paymentMethod,
    shippingAddress: event.shippingAddress && addressToJson(event.shippingAddress),
  };
}

function placedFromJson(json: PlacedJson): PlacedEvent {
  const { userId, items, currency, total, paymentMethod, shippingAddress } = json;
  return {
    kind: "PLACED",
    userId,
    items: linesFromJson(items),
    currency,
    total: BigInt(total),
    paymentMethod,
    shippingAddress,
  };
}
