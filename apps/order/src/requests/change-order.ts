import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Order as OrderMessage, OrderSchema } from "@rialto/contracts";
import { type Database, once, replay } from "@rialto/database";
import { type CallContext, callErrors, callerName, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";
import { orderMessage } from "../order/message.ts";
import type { Order } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";
import { type Command, decide } from "../order/transitions.ts";
import { orderAudit } from "./audit.ts";
import { ownOrder } from "./own-order.ts";
import { answerJson, answerOf } from "./stored-answer.ts";

/** Rounds that may be lost to other writers of the same order before the caller is told. */
const roundsMax = 5;

interface ChangeApp {
  readonly orders: OrderStore;
  readonly database: Pick<Database, "sql">;
}

/**
 * Answers a command that a person gives about one order. What was asked for already is answered with the order as it is. When another
 * writer was faster, it is decided again from what is true then.
 */
export async function changeOrder(
  app: ChangeApp,
  { id, command, reason }: { readonly id: string; readonly command: Command; readonly reason: string },
  ctx: CallContext,
): Promise<{ order?: MessageInitShape<typeof OrderSchema> | OrderMessage }> {
  const { idempotencyKey: key } = ctx;
  for (let round = 0; round < roundsMax; round += 1) {
    const before = await ownOrder(app.orders, id, ctx);
    const answer = decide(before, command);
    if (answer.kind === "NOTHING") return unchanged(app, before, ctx);
    if (answer.kind === "REFUSED") {
      // The first try with this key may be what brought the order to where it refuses the second.
      const earlier = await replay(app.database.sql, key);
      if (earlier !== undefined) return answerOf(earlier);
      throw refusalFor(answer.reason);
    }
    const outcome = await app.orders.commit(
      {
        orderId: before.id,
        before,
        event: answer.event,
        time: ctx.now,
        actor: callerName(ctx.caller),
        reason,
        traceparent: ctx.traceparent,
        key,
        response: answerJson,
        audit: (after) => orderAudit(ctx, before, after),
      },
      { signal: ctx.signal },
    );
    if (outcome.kind === "COMMITTED") return { order: orderMessage(outcome.order) };
    if (outcome.kind === "REPLAY") return answerOf(outcome.response);
  }
  throw refuse(callErrors.CHANGED_MEANWHILE);
}

/** The order as it is. The key is kept with it all the same, so that it cannot be used for another request. */
async function unchanged(app: ChangeApp, order: Order, { idempotencyKey: key }: CallContext) {
  if (key === undefined) return { order: orderMessage(order) };
  return answerOf(await once(app.database.sql, key, async () => answerJson(order)));
}

function refusalFor(reason: Extract<ReturnType<typeof decide>, { kind: "REFUSED" }>["reason"]): Error {
  // These two are the saga's; a person's command meets neither.
  if (reason === "OUT_OF_TURN" || reason === "AMOUNT_IMPOSSIBLE") return new Error(`a person's command met ${reason}`);
  return refuse(errors[reason]);
}
