import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Product as ProductMessage,
  ProductSchema,
  type Stock as StockMessage,
  StockSchema,
} from "@rialto/contracts";
import type { Stock } from "../stock/state.ts";
import type { Product } from "./state.ts";

/** The product as callers see it. */
export function productMessage({ price, currency, createTime, updateTime, ...rest }: Product): ProductMessage {
  return create(ProductSchema, {
    ...rest,
    price: { currencyCode: currency, minorUnits: price },
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
  });
}

/** The stock as callers see it. */
export function stockMessage({ productId, onHand, reserved }: Stock): StockMessage {
  return create(StockSchema, { productId, onHand, reserved, available: onHand - reserved });
}
