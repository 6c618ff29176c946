import type { DeadlineWheel } from "@rialto/async";
import { KeyReused } from "@rialto/database";
import { type CallContext, cancelSignalOf } from "@rialto/rpc";
import { type OrderResponse, responseFromJson } from "../order/message.ts";
import type { OrderStore } from "../order/store.ts";

/**
 * How long work may take before its key is looked up beside it. Long enough that hardly any work does, and so short
 * that a call whose dependency hangs still has time to be answered.
 */
const patienceMs = 500;

export interface EarlierAnswerApp {
  readonly orders: Pick<OrderStore, "answers">;
  readonly wheel: DeadlineWheel;
}

/**
 * Does work that ends in a commit with the call's idempotency key, and looks the key up last: the commit itself answers
 * a repetition, without a statement of its own.
 *
 * Work that ends in any other way (a refusal, a service that is down, a full queue) may be a repetition too, of a
 * request whose first answer was lost. So the key is looked up before that end is told: the first answer comes before
 * anything else, as does the refusal of a key that was used with another request. Where the key cannot be looked up, it
 * is not known whether the refusal holds, and the call ends with the error of the look-up.
 *
 * Work that takes long may not end before the call's deadline. So the key is looked up meanwhile too, once.
 */
export function doUnlessAnswered(
  { orders, wheel }: EarlierAnswerApp,
  ctx: CallContext,
  work: () => Promise<OrderResponse>,
): Promise<OrderResponse> {
  const { idempotencyKey: key } = ctx;
  if (key === undefined) return work();
  const findEarlier = async () => {
    const stored = await orders.answers.find(key, { signal: cancelSignalOf(ctx) });
    return stored === undefined ? undefined : responseFromJson(stored);
  };
  return new Promise((resolve, reject) => {
    const onLate = async () => {
      try {
        const earlier = await findEarlier();
        if (earlier !== undefined) resolve(earlier);
      } catch (error) {
        // Any other failure says nothing about the work, which goes on.
        if (error instanceof KeyReused) reject(error);
      }
    };
    const onFailure = async (failure: unknown) => {
      try {
        const earlier = failure instanceof KeyReused ? undefined : await findEarlier();
        if (earlier === undefined) reject(failure);
        else resolve(earlier);
      } catch (error) {
        reject(error);
      }
    };
    const removeLate = wheel.add(Math.min(patienceMs, msLeft(ctx) / 2), () => void onLate());
    work()
      .finally(removeLate)
      .then(resolve, (failure: unknown) => void onFailure(failure));
  });
}

function msLeft({ deadline }: CallContext): number {
  return deadline === undefined ? Number.POSITIVE_INFINITY : +deadline - Date.now();
}
