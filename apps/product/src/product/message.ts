import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Product as ProductMessage, ProductSchema } from "@rialto/contracts";
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
