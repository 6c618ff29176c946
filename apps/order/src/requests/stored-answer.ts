import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { CreateOrderResponseSchema, type Order as OrderMessage } from "@rialto/contracts";
import type { JsonValue } from "@rialto/database";
import { orderMessage } from "../order/message.ts";
import type { Order } from "../order/state.ts";

// What is kept with an idempotency key is the response in proto3 JSON. The responses of CreateOrder, CancelOrder, ShipOrder and
// DeliverOrder are the same one field, so one schema writes and reads them all.

/** The response with this order, to be kept. */
export function answerJson(order: Order): JsonValue {
  return toJson(CreateOrderResponseSchema, create(CreateOrderResponseSchema, { order: orderMessage(order) }));
}

/** The response that was kept. A newer version may have written it while this one still runs: what it does not know is left out. */
export function answerOf(json: JsonValue): { order?: OrderMessage } {
  // Both types mean JSON; protobuf's allows its arrays to be changed, which fromJson does not do.
  const { order } = fromJson(CreateOrderResponseSchema, json as Parameters<typeof fromJson>[1], {
    ignoreUnknownFields: true,
  });
  return order === undefined ? {} : { order };
}
