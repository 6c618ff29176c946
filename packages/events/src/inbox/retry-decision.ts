import { backoffMs } from "@rialto/async";
import { type Logger, parseTraceparent } from "@rialto/telemetry";
import type { Envelope } from "../event/envelope.ts";
import type { ConsumerCounts } from "../event/event-metrics.ts";
import type { Subscription } from "./subscription.ts";

const retryBackoff = { delayMsMin: 250, delayMsMax: 60_000 } as const;
/**
 * Shorter than for failures of an event's own: a dependency that is down recovers without a change to the event or the
 * code.
 */
const outageBackoff = { ...retryBackoff, delayMsMax: 5_000 };
const errorTextMax = 2_000;

/** How often an event has failed so far. */
export interface Failures {
  /** By itself. */
  readonly attempts: number;
  /** In a row, because a dependency was down. */
  readonly outages: number;
}

/** What happens to an event whose handler failed. */
export interface RetryDecision extends Failures {
  readonly state: "RETRY" | "DEAD";
  readonly delayMs: number;
  readonly lastError: string;
}

/** The process stops, or the queue took the job away: the event counts as not tried. */
export class HandlerAborted extends Error {
  override readonly name = "HandlerAborted";
  constructor() {
    super("The handler was aborted because its process stops");
  }
}

/** The handler exceeded its timeout. This counts as an outage of something that it waits for. */
export class HandlerTimedOut extends Error {
  override readonly name = "HandlerTimedOut";
  constructor(timeoutMs: number) {
    super(`The handler did not return within ${timeoutMs} ms`);
  }
}

/**
 * Decides about an event whose handler failed, and logs the failure: an error where the event is a dead letter now,
 * which an operator must handle.
 */
export function recordFailure(
  { subscription, log, isOutage, counts, spanIds }: FailureContext,
  envelope: Envelope,
  error: unknown,
  before: Failures = { attempts: 0, outages: 0 },
): RetryDecision {
  const decision = decideRetry(error, before, { attemptsMax: subscription.attemptsMax, isOutage });
  const { state, attempts, outages } = decision;
  if (state === "DEAD") counts?.dead.add();
  else if (outages > 0) counts?.postponed.add();
  else counts?.retried.add();
  const { id, topic, subject, traceparent } = envelope;
  // The line stands in the span of the attempt, although that is over; else in the one that sent the event.
  const sent = parseTraceparent(traceparent);
  const spanId = spanIds?.get(envelope) ?? (sent?.isSampled === true ? sent.spanId : undefined);
  const trace = { traceId: sent?.traceId, spanId };
  // "orderId" for "order.placed": lines about an order are found by one name.
  const ids = { ...trace, [`${topic.split(".", 1)[0]}Id`]: subject };
  const fields = { subscription: subscription.name, event: id, topic, ...ids, err: error };
  if (state === "DEAD") log.error({ ...fields, attempts }, "event failed too often and is a dead letter");
  else if (error instanceof HandlerTimedOut) log.warn({ ...fields, outages }, "event handler timed out, retrying");
  else if (outages === 0) log.warn({ ...fields, attempts }, "event handler failed, retrying");
  else log.debug({ ...fields, outages }, "event waits for a dependency that is down");
  return decision;
}

/** What the decision and the log need to know of the subscription. */
export interface FailureContext {
  readonly subscription: Pick<Subscription, "name" | "attemptsMax">;
  readonly log: Logger;
  /** Counts what becomes of its events. Nothing is counted without it. */
  readonly counts?: ConsumerCounts | undefined;
  /** The ids of the spans of attempts that failed, where they are recorded. */
  readonly spanIds?: Pick<WeakMap<Envelope, string>, "get">;
  isOutage(error: unknown): boolean;
}

/**
 * Returns what happens after a failure: a retry after a growing delay, or a dead letter after the last attempt. An
 * outage does not use up an attempt.
 */
export function decideRetry(
  error: unknown,
  before: Failures,
  o: { readonly attemptsMax: number; isOutage(error: unknown): boolean },
): RetryDecision {
  const lastError = textOf(error);
  if (error instanceof HandlerTimedOut || o.isOutage(error)) {
    const outages = before.outages + 1;
    // A handler that hangs occupies a slot for its whole timeout, so it is retried less often than one that fails at
    // once.
    const delayMs = backoffMs(outages, error instanceof HandlerTimedOut ? retryBackoff : outageBackoff);
    return { state: "RETRY", attempts: before.attempts, outages, delayMs, lastError };
  }
  const attempts = before.attempts + 1;
  const state = attempts >= o.attemptsMax ? "DEAD" : "RETRY";
  return { state, attempts, outages: 0, delayMs: backoffMs(attempts, retryBackoff), lastError };
}

/** The text that an operator reads beside a dead letter. The stack is in the log. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll("\0", "").slice(0, errorTextMax);
}
