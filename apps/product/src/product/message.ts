import type { MessageInitShape } from "@bufbuild/protobuf";
import { ProductSchema } from "@rialto/contracts/product";
import { messageSize, timestampOf } from "@rialto/rpc";
import type { Product } from "./state.ts";

/** The size of a product's message. */
export const productBytes = messageSize(ProductSchema);

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
