import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import * as contract from "@rialto/contracts/product";
import type { Product } from "./state.ts";

/** The product as callers see it. */
export function productMessage({ price, currency, createTime, updateTime, ...rest }: Product): contract.Product {
  return create(contract.ProductSchema, {
    ...rest,
    price: { currencyCode: currency, minorUnits: price },
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
  });
}
