import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ListOrderEventsRequest,
  type ListOrderEventsResponseSchema,
  type ListOrdersRequest,
  type ListOrdersResponseSchema,
  Order_Status,
  OrderEvent_Kind,
  OrderHistoryEntrySchema,
  OrderSchema,
} from "@rialto/contracts";
import { type CallContext, CallError, callErrors, messageSize, page } from "@rialto/rpc";
import { validate as isUuid } from "uuid";
import { orderMessage } from "../order/message.ts";
import type { Order } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";
import type { OrderStatus } from "../statuses.ts";

const orderBytes = messageSize(OrderSchema);
const entryBytes = messageSize(OrderHistoryEntrySchema);

/**
 * Lists orders, newest first. A customer sees their own; naming another account is refused, whether it exists or not.
 */
export async function listOrders(
  orders: Pick<OrderStore, "list">,
  request: ListOrdersRequest,
  ctx: CallContext,
): Promise<MessageInitShape<typeof ListOrdersResponseSchema>> {
  const filter = { userId: userOf(request, ctx), status: statusOf(request.status), attention: request.attention };
  const { messages, nextPageToken } = await page(request, {
    filter,
    sortKeys: [isUuid],
    read: ({ after, limit }) => orders.list(filter, { after: after?.[0], limit }),
    keysOf: ({ id }) => [id],
    messageOf: orderMessage,
    bytesOf: orderBytes,
  });
  return { orders: messages, nextPageToken };
}

/** Lists the events of an order, oldest first. */
export async function listHistory(
  orders: Pick<OrderStore, "history">,
  order: Order,
  request: ListOrderEventsRequest,
): Promise<MessageInitShape<typeof ListOrderEventsResponseSchema>> {
  const filter = { orderId: order.id };
  const { messages, nextPageToken } = await page(request, {
    filter,
    sortKeys: [isVersion],
    read: ({ after, limit }) => orders.history(order.id, { after: Number(after?.[0] ?? 0), limit }),
    keysOf: ({ version }) => [String(version)],
    messageOf: ({ event, version, time, actor, reason, traceparent }) => ({
      kind: OrderEvent_Kind[event.kind],
      version,
      time: timestampFromDate(time),
      actor,
      reason,
      // 00-<trace id>-<span id>-<flags>
      traceId: traceparent.split("-")[1] ?? "",
    }),
    bytesOf: entryBytes,
  });
  return { events: messages, nextPageToken };
}

function userOf({ userId }: ListOrdersRequest, { caller }: CallContext): string | undefined {
  const named = userId === "" ? undefined : userId;
  if (caller.kind !== "user" || caller.role === "ADMIN") return named;
  if (named !== undefined && named !== caller.userId) throw new CallError(callErrors.ACCESS_DENIED);
  return caller.userId;
}

function statusOf(status: Order_Status): OrderStatus | undefined {
  if (status === Order_Status.STATUS_UNSPECIFIED) return undefined;
  // The enum's other names are `orderStatuses`, and the contract's validation accepts no other number.
  return Order_Status[status] as OrderStatus;
}

/** At most nine digits: more events than any order has, and still an int4. */
function isVersion(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}
