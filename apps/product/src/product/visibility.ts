import type { Caller } from "@rialto/rpc";
import type { Product } from "./state.ts";

/** Whether a caller may know of a product. What is not on sale looks to the public as if it did not exist. */
export function isVisible(product: Product, caller: Caller): boolean {
  return product.active || seesAll(caller);
}

/** Services see all: an order says itself why it cannot have a product. */
export function seesAll(caller: Caller): boolean {
  return caller.kind === "service" || (caller.kind === "user" && caller.role === "ADMIN");
}
