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
import type { Replica } from "./replica.ts";
import { type FailureClass, failureClassOf } from "./retry.ts";

/** The result of sending a request to one replica. */
export type Outcome<Response> =
  /** `isUnavailable`: it says that its service is. */
  | { readonly kind: "RESPONSE"; readonly response: Response; readonly isUnavailable: boolean }
  | { readonly kind: "FAILURE"; readonly cause: unknown };

export type BreakerState = "closed" | "half-open" | "open";

/** The status of a replica, for health. It holds no address, as health may be public. */
export interface ReplicaStatus {
  readonly breaker: BreakerState;
  readonly lastError: { readonly class: FailureClass; readonly time: Date } | undefined;
}

/** A replica with a circuit breaker of its own. */
export interface GuardedReplica {
  readonly replica: Replica;
  /**
   * "half-open": the next request is the probe. "open": no request may be sent, also because a probe is in progress.
   */
  state(): BreakerState;
  /** A request is the probe now. Where it is not, the next one may be, also before the breaker's pause is over. */
  isProbed(): boolean;
  /** Sends a request and counts its result. A request that its caller canceled tells nothing about the replica. */
  execute<Response>(
    send: () => Promise<Outcome<Response>>,
    isCanceledByCaller: () => boolean,
  ): Promise<Outcome<Response>>;
  /**
   * Counts the result of a request that was sent while the state was "closed", as `execute` does, and returns it: at
   * once where it is a response.
   */
  settle<Response>(
    outcome: Outcome<Response>,
    isCanceledByCaller: () => boolean,
  ): Outcome<Response> | Promise<Outcome<Response>>;
  /** Records that the replica responded that it is unavailable. It is reachable, so its breaker stays as it is. */
  reportUnavailable(): void;
  status(): ReplicaStatus;
}

/**
 * Guards a replica. After a row of failures, of its connections and not of its responses, the breaker opens: no request
 * is sent for a while. Then it is half-open: one request at a time is the probe, which closes the breaker or opens it
 * for longer.
 */
export function guardReplica(replica: Replica): GuardedReplica {
  let lastError: ReplicaStatus["lastError"];
  let probeAt = 0;
  // How often the breaker opened in a row: each pause is longer. After an inconclusive probe there is no pause, and the
  // next request is the probe.
  let openedInRow = 0;
  const nextPause = ({ result }: IHalfOpenAfterBackoffContext): IBackoff<IHalfOpenAfterBackoffContext> => {
    const isConclusive = !("value" in result) || !isInconclusive(result.value);
    if (isConclusive) openedInRow += 1;
    probeAt = Date.now() + (isConclusive ? pauseMs(openedInRow) : 0);
    return { duration: noPause, next: nextPause };
  };
  const failuresInRow = new ConsecutiveBreaker(breakerFailuresMax);
  const breaker = circuitBreaker(
    handleWhenResult((result) => isFailure(result) || isInconclusive(result)),
    { halfOpenAfter: { next: nextPause }, breaker: failuresInRow },
  );
  breaker.onReset(() => {
    openedInRow = 0;
  });
  const record = (failure: FailureClass) => {
    lastError = { class: failure, time: new Date() };
  };

  function judged<Response>(outcome: Outcome<Response>, isCanceledByCaller: () => boolean): Attempt<Response> {
    if (outcome.kind === "RESPONSE") return { outcome, verdict: "success" };
    const failure = isCanceledByCaller() ? undefined : failureClassOf(outcome.cause);
    if (failure === undefined) return { outcome, verdict: "inconclusive" };
    record(failure);
    return { outcome, verdict: "failure" };
  }

  function settle<Response>(
    outcome: Outcome<Response>,
    isCanceledByCaller: () => boolean,
  ): Outcome<Response> | Promise<Outcome<Response>> {
    // Nearly always. It ends a row of failures, and Cockatiel would make several promises to do no more.
    if (outcome.kind === "RESPONSE") {
      failuresInRow.success();
      return outcome;
    }
    const attempt = judged(outcome, isCanceledByCaller);
    // An inconclusive attempt neither adds to a row of failures nor ends it.
    if (attempt.verdict !== "failure" || breaker.state !== CircuitState.Closed) return outcome;
    return breaker.execute(() => Promise.resolve(attempt)).then(() => outcome);
  }

  return {
    replica,
    state() {
      if (breaker.state === CircuitState.Closed) return "closed";
      // Cockatiel is half-open while the one probe is in progress.
      return breaker.state === CircuitState.Open && Date.now() >= probeAt ? "half-open" : "open";
    },
    isProbed: () => breaker.state === CircuitState.HalfOpen,
    async execute<Response>(send: () => Promise<Outcome<Response>>, isCanceledByCaller: () => boolean) {
      if (breaker.state === CircuitState.Closed) return settle(await send(), isCanceledByCaller);
      return (await breaker.execute(async () => judged(await send(), isCanceledByCaller))).outcome;
    },
    settle,
    reportUnavailable: () => record("unavailable"),
    status: () => ({ breaker: stateNames[breaker.state], lastError }),
  };
}

interface Attempt<Response> {
  readonly outcome: Outcome<Response>;
  /** What the outcome tells about the replica. */
  readonly verdict: "success" | "failure" | "inconclusive";
}

function isFailure(result: unknown): boolean {
  return verdictOf(result) === "failure";
}

/** Only a probe returns this: it opens the breaker again, without a pause. */
function isInconclusive(result: unknown): boolean {
  return verdictOf(result) === "inconclusive";
}

function verdictOf(result: unknown): unknown {
  return typeof result === "object" && result !== null && "verdict" in result ? result.verdict : undefined;
}

/** Returns how long a breaker stays open that has opened so often in a row. */
function pauseMs(openedInRow: number): number {
  const bound = backoffMs(openedInRow, {
    delayMsMin: breakerPauseMsBase,
    delayMsMax: breakerPauseMsMax,
    jitter: "none",
  });
  return bound * (0.75 + Math.random() / 4);
}

/**
 * The pause that Cockatiel counts: none, whatever the clock says. `probeAt` alone decides. Cockatiel reads the clock a
 * moment later: with a pause of its own it would reject a probe that is due by `probeAt`, in the millisecond between
 * the two.
 */
const noPause = Number.NEGATIVE_INFINITY;

const stateNames: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.Open]: "open",
  [CircuitState.HalfOpen]: "half-open",
  [CircuitState.Isolated]: "open",
};
