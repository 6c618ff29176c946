import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ProductSchema } from "@rialto/contracts/product";
import { timestampOf } from "@rialto/rpc";
import type { Product } from "./state.ts";

/** The product as callers see it. */
export function productMessage(product: Product): MessageInitShape<typeof ProductSchema> {
  const { id, name, description, category, active, price, currency, createTime, updateTime } = product;
  return {
    id,
    name,
    description,
    category,
    active,
    price: { currencyCode: currency, minorUnits: price },
    createTime: timestampOf(createTime),
    updateTime: timestampOf(updateTime),
  };
}
