import { backoffMs } from "@rialto/async";
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
  type IBackoff,
  type IHalfOpenAfterBackoffContext,
} from "cockatiel";
import { breakerFailuresMax, breakerPauseMsBase, breakerPauseMsMax } from "../limits.ts";
import type { ByteResponse } from "../wire/http-message.ts";
import type { Replica } from "./replica.ts";
import { type FailureClass, failureClassOf } from "./retry.ts";

/** What came of sending a request to one replica. */
export type Outcome =
  | { readonly kind: "ANSWER"; readonly response: ByteResponse }
  | { readonly kind: "LOST"; readonly cause: unknown };

/** How a replica stands, for health. No address: who asks may be anybody. */
export interface ReplicaStatus {
  readonly breaker: "closed" | "open" | "half-open";
  readonly lastError: { readonly class: FailureClass; readonly time: Date } | undefined;
}

/** A replica behind a breaker of its own. */
export interface GuardedReplica {
  readonly replica: Replica;
  /** "open" is not to be tried now; "trial" has been open, and the next call finds out whether it is well again. */
  stand(): "closed" | "trial" | "open";
  /** Makes an attempt and remembers how it went. What the caller broke off says nothing about the replica. */
  attempt(work: () => Promise<Outcome>, isBrokenOff: () => boolean): Promise<Outcome>;
  /** Remembers that a replica that answered said it was unavailable. It lives: its breaker stays as it is. */
  saidUnavailable(): void;
  status(): ReplicaStatus;
}

/**
 * Guards a replica. After some failures in a row, of its connections and not of what it answers, the breaker opens: no connection is
 * attempted for a while. Then one call at a time is the trial that closes it or opens it for longer.
 */
export function guardReplica(replica: Replica): GuardedReplica {
  let lastError: ReplicaStatus["lastError"];
  let trialAt = 0;
  // How often in a row it opened: each time for longer. A trial that tells nothing is no time, and whoever calls next is the trial.
  let opened = 0;
  const begin = ({ result }: IHalfOpenAfterBackoffContext): IBackoff<IHalfOpenAfterBackoffContext> => {
    const isTold = !("value" in result) || !isInconclusive(result.value);
    if (isTold) opened += 1;
    const duration = isTold ? pauseMs(opened) : 0;
    trialAt = Date.now() + duration;
    return { duration, next: begin };
  };
  const breaker = circuitBreaker(
    handleWhenResult((result) => isFailure(result) || isInconclusive(result)),
    { halfOpenAfter: { next: begin }, breaker: new ConsecutiveBreaker(breakerFailuresMax) },
  );
  breaker.onReset(() => {
    opened = 0;
  });
  const remember = (failure: FailureClass) => {
    lastError = { class: failure, time: new Date() };
  };

  return {
    replica,
    stand() {
      if (breaker.state === CircuitState.Closed) return "closed";
      // While half-open the one trial is under way.
      return breaker.state === CircuitState.Open && Date.now() >= trialAt ? "trial" : "open";
    },
    async attempt(work, isBrokenOff) {
      const isTrial = breaker.state !== CircuitState.Closed;
      const attempt = async (): Promise<Attempt> => {
        const made = await work();
        if (made.kind === "ANSWER") return { outcome: made, says: "well" };
        const failure = isBrokenOff() ? undefined : failureClassOf(made.cause);
        if (failure !== undefined) {
          remember(failure);
          return { outcome: made, says: "failed" };
        }
        // An error that a trial throws past the breaker closes it.
        if (isTrial) return { outcome: made, says: "nothing" };
        throw new TellsNothing(made);
      };
      try {
        return (await breaker.execute(attempt)).outcome;
      } catch (error) {
        if (error instanceof TellsNothing) return error.outcome;
        throw error;
      }
    },
    saidUnavailable: () => remember("unavailable"),
    status: () => ({ breaker: names[breaker.state], lastError }),
  };
}

interface Attempt {
  readonly outcome: Outcome;
  /** What it says about the replica. */
  readonly says: "well" | "failed" | "nothing";
}

/** Thrown past the closed breaker, which counts it neither as a failure nor as the success that ends a row of them. */
class TellsNothing extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super("what the caller broke off tells nothing about the replica");
    this.outcome = outcome;
  }
}

function isFailure(result: unknown): boolean {
  return saysOf(result) === "failed";
}

/** Only a trial ends so: it opens the breaker again, for no time. */
function isInconclusive(result: unknown): boolean {
  return saysOf(result) === "nothing";
}

function saysOf(result: unknown): unknown {
  return typeof result === "object" && result !== null && "says" in result ? result.says : undefined;
}

/** How long a breaker stays open that has opened so often in a row. */
function pauseMs(opened: number): number {
  const bound = backoffMs(opened, { delayMsMin: breakerPauseMsBase, delayMsMax: breakerPauseMsMax, jitter: "none" });
  return bound * (0.75 + Math.random() / 4);
}

const names: Readonly<Record<CircuitState, ReplicaStatus["breaker"]>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.Open]: "open",
  [CircuitState.HalfOpen]: "half-open",
  [CircuitState.Isolated]: "open",
};
