import { create } from "@bufbuild/protobuf";
import * as contract from "@rialto/contracts/product";
import type { Stock } from "./state.ts";

/** The stock as callers see it. */
export function stockMessage({ productId, onHand, reserved }: Stock): contract.Stock {
  return create(contract.StockSchema, { productId, onHand, reserved, available: onHand - reserved });
}
