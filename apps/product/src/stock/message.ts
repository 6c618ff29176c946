import { create } from "@bufbuild/protobuf";
import { type Stock as StockMessage, StockSchema } from "@rialto/contracts";
import type { Stock } from "./state.ts";

/** The stock as callers see it. */
export function stockMessage({ productId, onHand, reserved }: Stock): StockMessage {
  return create(StockSchema, { productId, onHand, reserved, available: onHand - reserved });
}
