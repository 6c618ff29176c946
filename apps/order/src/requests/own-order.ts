import { type CallContext, refuse, requireOwner } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Order } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";

/** The order, if the caller may see it. Another's looks as if it did not exist. */
export async function ownOrder(orders: Pick<OrderStore, "read">, id: string, ctx: CallContext): Promise<Order> {
  const order = await orders.read(id);
  if (order === undefined) throw refuse(errors.ORDER_NOT_FOUND);
  requireOwner(ctx, order.userId, refuse(errors.ORDER_NOT_FOUND));
  return order;
}
