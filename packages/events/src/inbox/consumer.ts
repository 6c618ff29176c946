import type { Sql } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import type { Envelope } from "../event/envelope.ts";
import { afterFailure, type Failures, HandlerTimedOut, type Setback } from "./handler-outcome.ts";
import type { Subscription } from "./subscription.ts";

/** What a subscription's two ways to run (in a batch, alone) share. */
export interface Consumer {
  readonly subscription: Subscription;
  readonly sql: Sql;
  readonly log: Logger;
  isOutage(error: unknown): boolean;
}

/** Decides what becomes of an event that failed, and says so in the log: a dead letter is a person's work. */
export function setBack(
  { subscription, log, isOutage }: Consumer,
  envelope: Envelope,
  error: unknown,
  before: Failures = { attempts: 0, outages: 0 },
): Setback {
  const setback = afterFailure(error, before, { attemptsMax: subscription.attemptsMax, isOutage });
  const { id, topic, subject, traceparent } = envelope;
  const fields = { subscription: subscription.name, event: id, topic, subject, traceparent, err: error };
  if (setback.state === "DEAD") log.error({ ...fields, attempts: setback.attempts }, "an event is a dead letter now");
  else if (error instanceof HandlerTimedOut)
    log.warn({ ...fields, outages: setback.outages }, "a handler did not return in time, trying again");
  else if (setback.outages === 0) log.warn({ ...fields, attempts: setback.attempts }, "an event failed, trying again");
  else log.debug({ ...fields, outages: setback.outages }, "an event waits for something that is down");
  return setback;
}
