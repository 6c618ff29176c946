import { CallError } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { errors } from "../errors.ts";
import { authorizationKey, illegal, type Operation, type Payment, settle } from "../payment/state.ts";
import type { PaymentStore } from "../payment/store.ts";
import type { LateResult, PaymentProvider, ProviderAnswer, ProviderOutcome } from "../provider/provider.ts";

/** How long the provider is waited for. What it does later is found by its key, or told by `onResult`. */
const providerDeadlineMs = 2_000;
/** An operation that is older than this was left by a process that died, or by a provider that did not answer. */
const operationAgeMsMax = 5_000;
const sweptRowsMax = 200;
const sweptAtOnceMax = 8;

/**
 * What has an effect at the provider. The operation stands on the payment before the effect (STARTED) and is taken off with the
 * answer after it, so at each point where a process can die there is somebody who goes on:
 *
 * - before the effect, after it, or with its answer lost: the operation is still there. The next call for the payment, a late result,
 *   or the sweeper finishes it. It asks the provider by key what is known, and only then asks for the effect, under the same key.
 * - two at once: both may ask, the key makes one effect of it, and the payment's version lets one of them write the answer down.
 */
export interface Operations {
  /**
   * Finishes the operation in flight. `fresh` says that nobody can have asked the provider yet, `isTold` that its own caller waits for it. Returns the provider's answer
   * and the payment as it is now, whoever wrote it. Refuses with PROVIDER_UNAVAILABLE where the answer is not known.
   */
  finish(payment: Payment, o: { readonly fresh: boolean; readonly isTold: boolean }): Promise<Finished>;
  /** Takes a result that arrived late. */
  take(result: LateResult): Promise<void>;
  /** Finishes what was left in flight. */
  sweep(signal: AbortSignal): Promise<void>;
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
}

export function createOperations({ store, provider, now, log }: Parts): Operations {
  /** Writes the answer down. Where somebody else was first, theirs is the truth. */
  async function record(
    payment: Payment,
    operation: Operation,
    answer: ProviderAnswer,
    told: { readonly isTold: boolean },
  ): Promise<Payment> {
    const event = settle(payment, operation, answer, told);
    const { actor, reason, traceparent } = operation;
    const committed = await store.commit({ before: payment, event, time: now(), actor, reason, traceparent });
    if (committed.kind === "COMMITTED") return committed.payment;
    const current = await store.byId(payment.id);
    if (current === undefined) throw illegal(payment, "being gone");
    return current;
  }

  async function finish(
    payment: Payment,
    { fresh, isTold }: { readonly fresh: boolean; readonly isTold: boolean },
  ): Promise<Finished> {
    const { operation } = payment;
    if (operation === undefined) throw illegal(payment, "finishing nothing");
    const outcome = await outcomeOf(provider, payment, operation, fresh);
    if (outcome.kind === "UNKNOWN") {
      log.warn(
        { payment: payment.id, operation: operation.kind, cause: outcome.cause },
        "the provider's answer is not known",
      );
      throw new CallError(errors.PROVIDER_UNAVAILABLE);
    }
    return { operation, answer: outcome, payment: await record(payment, operation, outcome, { isTold }) };
  }

  async function sweepOne(payment: Payment): Promise<void> {
    try {
      await finish(payment, { fresh: false, isTold: false });
    } catch (error) {
      log.warn({ err: error, payment: payment.id }, "an operation could not be finished yet");
    }
  }

  return {
    finish,
    async take({ key, answer }) {
      const payment = await store.byOperation(key);
      // None: a retry has found it, or a void took its place.
      if (payment?.operation !== undefined) await record(payment, payment.operation, answer, { isTold: false });
    },
    async sweep(signal) {
      const untouchedSince = new Date(now().getTime() - operationAgeMsMax);
      const waiting = [...(await store.claimUnfinished({ untouchedSince, limit: sweptRowsMax }))];
      const work = async () => {
        for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift())
          await sweepOne(next);
      };
      await Promise.all(Array.from({ length: sweptAtOnceMax }, work));
    },
  };
}

async function outcomeOf(
  provider: PaymentProvider,
  payment: Payment,
  operation: Operation,
  fresh: boolean,
): Promise<ProviderOutcome> {
  if (!fresh) {
    const known = await provider.find(operation.key, AbortSignal.timeout(providerDeadlineMs));
    if (known !== undefined) return known;
  }
  // Not the caller's signal: a caller who leaves must not leave a card in doubt.
  return ask(provider, payment, operation, AbortSignal.timeout(providerDeadlineMs));
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
