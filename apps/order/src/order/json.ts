import type { JsonObject } from "@bufbuild/protobuf";
import type { AddressJson, LineJson } from "../schema.ts";
import type { Address, AttentionReason, OrderEvent, OrderLine, RejectionReason } from "./state.ts";

/** The lines for a jsonb column. */
export function linesToJson(lines: readonly OrderLine[]): LineJson[] {
  return lines.map((line) => ({ ...line, unitPrice: String(line.unitPrice), total: String(line.total) }));
}

/** The lines out of a jsonb column. */
export function linesFromJson(lines: readonly LineJson[]): OrderLine[] {
  return lines.map(({ productId, name, unitPrice, quantity, total }) => ({
    productId,
    name,
    unitPrice: BigInt(unitPrice),
    quantity,
    total: BigInt(total),
  }));
}

/** The address for a jsonb column. */
export function addressToJson({ name, lines, city, postalCode, countryCode }: Address) {
  return { name, lines: [...lines], city, postalCode, countryCode };
}

/** The payload of an event in the log: all of it but its kind, which is the event's type. */
export function eventToJson(event: OrderEvent): JsonObject {
  switch (event.kind) {
    case "PLACED":
      return {
        userId: event.userId,
        items: linesToJson(event.items),
        currency: event.currency,
        total: String(event.total),
        paymentMethod: event.paymentMethod,
        ...(event.shippingAddress === undefined ? {} : { shippingAddress: addressToJson(event.shippingAddress) }),
      };
    case "REJECTED":
      return { reason: event.reason };
    case "SHIPPED":
      return { captured: String(event.captured) };
    case "REFUNDED":
      return { captured: String(event.captured), refunded: String(event.refunded) };
    case "ATTENTION_RAISED":
      return { reason: event.reason, detail: event.detail, captured: String(event.captured) };
    default:
      return {};
  }
}

/** An event read back from the log. Throws on a kind that this code does not know. */
export function eventFromJson(kind: string, payload: unknown): OrderEvent {
  // What the log holds was written by eventToJson for the same kind; the names below are its names.
  const json = payload as {
    userId: string;
    items: LineJson[];
    currency: string;
    total: string;
    paymentMethod: string;
    shippingAddress?: AddressJson;
    reason: string;
    detail: string;
    captured: string;
    refunded: string;
  };
  switch (kind) {
    case "PLACED":
      return {
        kind,
        userId: json.userId,
        items: linesFromJson(json.items),
        currency: json.currency,
        total: BigInt(json.total),
        paymentMethod: json.paymentMethod,
        shippingAddress: json.shippingAddress,
      };
    case "REJECTED":
      return { kind, reason: json.reason as RejectionReason };
    case "SHIPPED":
      return { kind, captured: BigInt(json.captured) };
    case "REFUNDED":
      return { kind, captured: BigInt(json.captured), refunded: BigInt(json.refunded) };
    case "ATTENTION_RAISED": {
      const { reason, detail, captured } = json;
      return { kind, reason: reason as AttentionReason, detail, captured: BigInt(captured) };
    }
    case "STOCK_RESERVED":
    case "CONFIRMED":
    case "CANCEL_REQUESTED":
    case "CANCELLED":
    case "SHIP_REQUESTED":
    case "DELIVERED":
      return { kind };
    default:
      throw new Error(`the log holds a ${kind}, which this version does not know`);
  }
}
