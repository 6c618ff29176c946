import { backoffMs, type DeadlineWheel, sleep } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { callTriesMax } from "../limits.ts";
import type { CallClock } from "../server/deadline.ts";
import { chooseReplica } from "./choose-replica.ts";
import type { GuardedReplica, Outcome } from "./circuit-breaker.ts";
import { probeHalfOpen } from "./probe.ts";
import type { ReplicaSet } from "./replica-set.ts";
import { abortedBodyIn, isRequestFailure } from "./response-failure.ts";
import { failureClassOf, isNeverSent, type RetryBudget, retryBackoff } from "./retry.ts";

/** The replicas, the budget of retries, and the deadlines of all calls. */
export interface Replicas {
  readonly replicas: ReplicaSet;
  readonly budget: RetryBudget;
  readonly wheel: DeadlineWheel;
  readonly random: () => number;
  readonly onRetry: (() => void) | undefined;
}

/** What a call may do, and how it is sent to one replica. */
export interface Sending<Response> {
  readonly isSafe: boolean;
  readonly channel: "calls" | "streams";
  readonly send: (replica: GuardedReplica) => Promise<Outcome<Response>>;
  /** The clock of the call stops with its response, which is whole. Else it is up to who reads the response. */
  readonly isWhole: boolean;
}

/** The replicas that a call was sent to, and what came of the last one. */
interface Tried<Response> {
  readonly replicas: Set<GuardedReplica>;
  attempts: number;
  outcome: Outcome<Response> | undefined;
}

/**
 * Sends to one replica after the other, until a response is final, or nothing more may be tried. Stops the clock where
 * there is none.
 */
export function tryReplicas<Response>(
  among: Replicas,
  sending: Sending<Response>,
  clock: CallClock,
): Promise<Response> {
  among.budget.earn();
  const tried: Tried<Response> = { replicas: new Set(), attempts: 0, outcome: undefined };
  const first = trySending(among, sending, tried);
  if (first === undefined) return goOn(among, sending, clock, tried);
  // Nearly always it is one attempt, and one promise.
  return first.then(
    (outcome) => {
      if (outcome.kind === "RESPONSE" && !mayRetry(outcome, sending.isSafe)) {
        if (sending.isWhole) clock.stop();
        return outcome.response;
      }
      tried.outcome = outcome;
      return goOn(among, sending, clock, tried);
    },
    (error) => {
      clock.stop();
      throw error;
    },
  );
}

/** Goes on after a first attempt whose outcome is not final, or where none was made yet. */
async function goOn<Response>(
  among: Replicas,
  sending: Sending<Response>,
  clock: CallClock,
  tried: Tried<Response>,
): Promise<Response> {
  try {
    return await tryFurther(among, sending, clock, tried);
  } catch (error) {
    clock.stop();
    throw error;
  } finally {
    if (sending.isWhole) clock.stop();
  }
}

/** Sends to a replica that is chosen now. Returns undefined where there is none. */
function trySending<Response>(
  { replicas, wheel, random }: Replicas,
  { isSafe, channel, send }: Sending<Response>,
  tried: Tried<Response>,
): Promise<Outcome<Response>> | undefined {
  const loadOf = ({ replica }: GuardedReplica) => replica[channel].load.requests;
  const replica = chooseReplica(replicas.current(), { tried: tried.replicas, isSafe, loadOf, random });
  if (replica === undefined) return undefined;
  tried.replicas.add(replica);
  tried.attempts += 1;
  const sent = send(replica);
  if (!isSafe) probeHalfOpen(replicas.current(), wheel);
  return sent;
}

/** Makes further attempts, one after the other. */
async function tryFurther<Response>(
  among: Replicas,
  sending: Sending<Response>,
  clock: CallClock,
  tried: Tried<Response>,
): Promise<Response> {
  const { replicas, budget, onRetry } = among;
  if (replicas.current().length === 0 && tried.attempts === 0) await clock.race(replicas.lookedUp);
  for (;;) {
    const { outcome } = tried;
    if (outcome !== undefined) {
      if (outcome.kind === "FAILURE" && failureClassOf(outcome.cause) !== undefined) replicas.reportLoss();
      const isLast = tried.attempts >= callTriesMax || clock.canceled.aborted;
      if (isLast || !mayRetry(outcome, sending.isSafe) || !budget.spend()) return responseOf(outcome, clock);
      const delayMs = backoffMs(tried.attempts, retryBackoff);
      // A delay past the deadline gains nothing: return this outcome.
      if (Date.now() + delayMs >= +clock.deadline) return responseOf(outcome, clock);
      await clock.race(sleep(delayMs));
    }
    const sent = trySending(among, sending, tried);
    if (sent === undefined) return responseOf(outcome ?? noReplica(replicas.current()), clock);
    // A first attempt that had to wait for an address is no retry.
    if (outcome !== undefined) onRetry?.();
    tried.outcome = await sent;
  }
}

function noReplica(known: readonly GuardedReplica[]): Outcome<never> {
  const why = known.length === 0 ? "no address of the service is known" : "every replica's breaker is open";
  return { kind: "FAILURE", cause: new Error(why) };
}

function mayRetry(outcome: Outcome<unknown>, isSafe: boolean): boolean {
  if (outcome.kind === "FAILURE") return isNeverSent(outcome.cause) || (isSafe && !isRequestFailure(outcome.cause));
  return isSafe && outcome.isUnavailable;
}

function responseOf<Response>(outcome: Outcome<Response>, { canceled }: CallClock): Response {
  if (outcome.kind === "RESPONSE") return outcome.response;
  if (canceled.aborted) throw canceled.reason;
  if (outcome.cause instanceof CallError) throw outcome.cause;
  const body = abortedBodyIn(outcome.cause);
  if (body !== undefined) throw body.cause;
  // A retry would fail again, so this is no outage.
  if (isRequestFailure(outcome.cause)) throw new CallError(callErrors.INTERNAL_ERROR, { cause: outcome.cause });
  throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause: outcome.cause });
}
