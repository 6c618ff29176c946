import { createDeadlineWheel, LazySignal } from "@rialto/async";
import { describe, expect, it } from "vitest";
import { reasonOf } from "../src/index.ts";
import { startClock } from "../src/server/deadline.ts";
import type { GuardedReplica, Outcome } from "../src/upstream/circuit-breaker.ts";
import { createRetryBudget } from "../src/upstream/retry.ts";
import { tryReplicas } from "../src/upstream/try-replicas.ts";

// The members that a choice reads.
const replica: GuardedReplica = {
  state: () => "closed",
  isProbed: () => false,
  replica: { isLeaving: () => false, calls: { load: { requests: 0 } } },
} as never;

const minuteMs = 60_000;
const refused: Outcome<never> = { kind: "FAILURE", cause: Object.assign(new Error("no"), { code: "ECONNREFUSED" }) };

/** Sends a call that each replica refuses. `known` are the replicas that each attempt finds. */
async function refusedCall(known: readonly (readonly GuardedReplica[])[]) {
  const seen = { attempts: 0, retries: 0 };
  const wheel = createDeadlineWheel();
  const clock = startClock(wheel, new LazySignal(), new Date(Date.now() + minuteMs));
  const replicas = {
    current: () => known[seen.attempts] ?? [],
    lookedUp: Promise.resolve(),
    ...{ reportLoss: () => undefined, close: () => undefined },
  };
  const onRetry = () => {
    seen.retries += 1;
  };
  const send = async () => {
    seen.attempts += 1;
    return refused;
  };
  const among = { ...{ replicas, wheel, onRetry }, budget: createRetryBudget(), random: () => 0 };
  const reason = await tryReplicas(among, { isSafe: true, isWhole: true, channel: "calls", send }, clock).catch(
    reasonOf,
  );
  clock.stop();
  return { ...seen, reason };
}

describe("the retries of a call", () => {
  it("are the attempts after the first", async () => {
    const reason = "TEMPORARILY_UNAVAILABLE";
    expect(await refusedCall([[replica], [replica], [replica]])).toEqual({ attempts: 3, retries: 2, reason });
  });

  it("are not those that no replica was left for", async () => {
    const reason = "TEMPORARILY_UNAVAILABLE";
    expect(await refusedCall([[replica], []])).toEqual({ attempts: 1, retries: 0, reason });
    expect(await refusedCall([])).toEqual({ attempts: 0, retries: 0, reason });
  });
});
