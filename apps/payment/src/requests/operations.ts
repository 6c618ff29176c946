import { forEachConcurrently, limitTime } from "@rialto/async";
import { type CallContext, CallError, callerName } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { v7 as newId } from "uuid";
import { errors } from "../errors.ts";
import { illegal } from "../payment/events.ts";
import type { Operation, Payment } from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import { authorizationKey, type OperationContext, settle } from "../payment/transitions.ts";
import type { LateResult, PaymentProvider, ProviderAnswer, ProviderOutcome } from "../provider/provider.ts";
import type { CountOperation } from "./operation-metrics.ts";

/** The wait for a provider's answer. A later result is found by its key, or reported by `onResult`. */
const providerDeadlineMs = 2_000;
/** An older operation was left by a process that died, or by a provider that did not answer. */
const operationAgeMsMax = 5_000;
const claimedRowsMax = 200;
const concurrencyMax = 8;

/**
 * Runs a payment's operations at the provider. The operation is stored on the payment before its effect (STARTED) and
 * removed with the answer, so that it is finished wherever a process dies:
 *
 * - Before the effect, after it, or when its answer is lost, the operation is still in flight. The next call for the
 *   payment, a late result or the schedule finishes it: it looks the operation's key up at the provider, and only then
 *   asks for the effect, with the same key.
 * - When two processes finish it at once, both may ask: the key makes it one effect, and the payment's version lets one
 *   of them commit the answer.
 */
export interface Operations {
  /**
   * Finishes the operation in flight. `fresh`: the provider cannot have been asked yet. `callerWaits`: the operation's
   * own caller gets the answer. Returns the provider's answer and the current payment. Refuses with
   * PROVIDER_UNAVAILABLE where the answer is unknown.
   */
  finish(payment: Payment, o: { readonly fresh: boolean; readonly callerWaits: boolean }): Promise<Finished>;
  /** Records a result that arrives after its request has timed out. */
  recordLate(result: LateResult): Promise<void>;
  /** The schedule "finish-payment-operations": finishes operations that were left in flight. */
  finishStalled(signal: AbortSignal): Promise<void>;
}

interface Finished {
  readonly operation: Operation;
  readonly answer: ProviderAnswer;
  readonly payment: Payment;
}

interface Parts {
  readonly store: PaymentStore;
  readonly provider: PaymentProvider;
  readonly now: () => Date;
  readonly log: Logger;
  /** Nothing is counted without it. */
  readonly count?: CountOperation | undefined;
}

export function createOperations({ store, provider, now, log, count }: Parts): Operations {
  /** Commits the answer. Where another process was faster, its commit holds. */
  async function record(
    payment: Payment,
    operation: Operation,
    answer: ProviderAnswer,
    caller: { readonly callerWaits: boolean },
  ): Promise<Payment> {
    const event = settle(payment, operation, answer, caller);
    const { actor, reason, traceparent } = operation;
    const change = { id: payment.id, before: payment, event, time: now(), actor, reason, traceparent };
    const committed = await store.commit(change);
    if (committed.kind === "COMMITTED") {
      count?.(operation.kind, answer.kind);
      return committed.after;
    }
    const current = await store.byId(payment.id);
    if (current === undefined) throw illegal(payment, "being gone");
    return current;
  }

  async function finish(
    payment: Payment,
    { fresh, callerWaits }: { readonly fresh: boolean; readonly callerWaits: boolean },
  ): Promise<Finished> {
    const { operation } = payment;
    if (operation === undefined) throw illegal(payment, "finishing nothing");
    const outcome = await outcomeOf(provider, payment, operation, fresh);
    if (outcome.kind === "UNKNOWN") {
      count?.(operation.kind, outcome.kind);
      log.warn({ payment: payment.id, operation: operation.kind, cause: outcome.cause }, "provider answer unknown");
      throw new CallError(errors.PROVIDER_UNAVAILABLE);
    }
    return { operation, answer: outcome, payment: await record(payment, operation, outcome, { callerWaits }) };
  }

  async function finishOne(payment: Payment): Promise<void> {
    try {
      await finish(payment, { fresh: false, callerWaits: false });
    } catch (error) {
      log.warn({ err: error, payment: payment.id }, "payment operation not finished yet");
    }
  }

  return {
    finish,
    async recordLate({ key, answer }) {
      const payment = await store.byOperation(key);
      // None: a retry has found it, or a void has replaced it.
      if (payment?.operation !== undefined) await record(payment, payment.operation, answer, { callerWaits: false });
    },
    async finishStalled(signal) {
      const untouchedSince = new Date(now().getTime() - operationAgeMsMax);
      const claimed = await store.claimUnfinished({ untouchedSince, limit: claimedRowsMax });
      await forEachConcurrently(claimed, { max: concurrencyMax, signal }, finishOne);
    },
  };
}

/** Attempts of a call that may lose to other writers of the same payment before it fails. */
export const attemptsMax = 20;

/** Who asks for an operation and why, with a new id for it. */
export function operationContext(ctx: CallContext, reason: string): OperationContext {
  return { actor: callerName(ctx.caller), reason, traceparent: ctx.traceparent, operationId: newId() };
}

async function outcomeOf(
  provider: PaymentProvider,
  payment: Payment,
  operation: Operation,
  fresh: boolean,
): Promise<ProviderOutcome> {
  if (!fresh) {
    const known = await inTime((signal) => provider.find(operation.key, signal));
    if (known !== undefined) return known;
  }
  // Not the caller's signal: a caller who leaves must not leave the outcome unknown.
  return inTime((signal) => ask(provider, payment, operation, signal));
}

async function inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = limitTime(providerDeadlineMs);
  try {
    return await work(limit.signal);
  } finally {
    limit.end();
  }
}

function ask(
  provider: PaymentProvider,
  payment: Payment,
  operation: Operation,
  signal: AbortSignal,
): Promise<ProviderOutcome> {
  const { orderId, currency, paymentMethod } = payment;
  if (currency === undefined || paymentMethod === undefined) throw illegal(payment, `${operation.kind} of a tombstone`);
  const request = { key: operation.key, orderId, amount: operation.amount, currency };
  const about = { ...request, authorizationKey: authorizationKey(orderId) };
  switch (operation.kind) {
    case "AUTHORIZE":
      return provider.authorize({ ...request, paymentMethod }, signal);
    case "CAPTURE":
      return provider.capture(about, signal);
    case "VOID":
      return provider.void(about, signal);
    case "REFUND":
      return provider.refund(about, signal);
  }
}
