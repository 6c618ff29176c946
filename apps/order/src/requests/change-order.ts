import { type AuditRecord, type Database, once, replay } from "@rialto/database";
import {
  auditChanges,
  auditOf,
  type CallContext,
  CallError,
  callErrors,
  callerName,
  cancelSignalOf,
  requireOwner,
} from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { OrderEvent } from "../order/events.ts";
import { type OrderResponse, orderMessage, responseFromJson, responseToJson } from "../order/message.ts";
import type { Order } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";
import { type Command, type Decision, decide } from "../order/transitions.ts";

/** Attempts that may lose to other writers of the same order before the call fails. */
const attemptsMax = 5;

interface ChangeApp {
  readonly orders: OrderStore;
  readonly database: Pick<Database, "sql">;
}

/**
 * Answers a person's command on an order. A command that is done already is answered with the current order. When
 * another writer was faster, it is decided again on the order as that writer left it.
 */
export async function changeOrder(
  app: ChangeApp,
  { id, command, reason }: { readonly id: string; readonly command: Command; readonly reason: string },
  ctx: CallContext,
): Promise<OrderResponse> {
  const { idempotencyKey: key } = ctx;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const before = await readOrder(app.orders, id, ctx);
    const decision = decide(before, command);
    if (decision.kind === "NOTHING") return unchanged(app, before, ctx);
    if (decision.kind === "REFUSED") {
      // The first request with this key may have changed the order so that the second is refused.
      const earlier = await replay(app.database.sql, key);
      if (earlier !== undefined) return responseFromJson(earlier);
      throw refusalFor(decision);
    }
    const response = await commitForCall(app.orders, { id: before.id, before, event: decision.event, reason }, ctx);
    if (response !== undefined) return response;
  }
  throw new CallError(callErrors.CHANGED_MEANWHILE);
}

/** Reads an order that the caller may see. Another customer's order is not found. */
export async function readOrder(orders: Pick<OrderStore, "read">, id: string, ctx: CallContext): Promise<Order> {
  const order = await orders.read(id, { signal: cancelSignalOf(ctx) });
  if (order === undefined) throw new CallError(errors.ORDER_NOT_FOUND);
  requireOwner(ctx, order.userId, errors.ORDER_NOT_FOUND);
  return order;
}

/**
 * Commits an event that a call decided, with the call's idempotency key, the response that is stored with it, and the
 * audit entry. Returns the response, which is the stored one where the same request was committed before, or undefined
 * where another writer was faster.
 */
export async function commitForCall(
  orders: Pick<OrderStore, "commit">,
  o: {
    readonly id: string;
    readonly before: Order | undefined;
    readonly event: OrderEvent;
    readonly reason: string;
  },
  ctx: CallContext,
): Promise<OrderResponse | undefined> {
  const outcome = await orders.commit(
    {
      ...o,
      time: ctx.now,
      actor: callerName(ctx.caller),
      traceparent: ctx.traceparent,
      key: ctx.idempotencyKey,
      response: responseToJson,
      audit: (after) => auditRecord(ctx, o.before, after),
    },
    { signal: cancelSignalOf(ctx) },
  );
  switch (outcome.kind) {
    case "COMMITTED":
      return { order: orderMessage(outcome.after) };
    case "REPLAY":
      return responseFromJson(outcome.response);
    case "CONFLICT":
      return undefined;
  }
}

/** The audit entry of an order that a call placed or changed; undefined where its caller is no admin. */
function auditRecord(ctx: CallContext, before: Order | undefined, after: Order): AuditRecord | undefined {
  return auditOf(ctx, {
    subject: `order:${after.id}`,
    changes: auditChanges(before, after, {
      status: ({ status }) => status,
      pending_action: ({ pendingAction }) => pendingAction,
      attention: ({ attention }) => attention?.reason,
    }),
  });
}

/** The order as it is. The key is stored with it, so that it cannot be used for another request. */
async function unchanged(app: ChangeApp, order: Order, { idempotencyKey: key }: CallContext): Promise<OrderResponse> {
  if (key === undefined) return { order: orderMessage(order) };
  return responseFromJson(await once(app.database.sql, key, async () => responseToJson(order)));
}

function refusalFor({ reason }: Extract<Decision, { kind: "REFUSED" }>): Error {
  // The checkout's and the payment events' refusals. No command of a person meets them.
  if (reason === "OUT_OF_TURN" || reason === "AMOUNT_IMPOSSIBLE") return new Error(`a person's command met ${reason}`);
  return new CallError(errors[reason]);
}
