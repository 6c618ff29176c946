import { raceSignal, sleep } from "@rialto/async";
import type { Sql } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { type CardNetwork, createCardNetwork, type NetworkEntry, type NetworkRequest } from "./card-network.ts";
import type {
  AuthorizeRequest,
  FollowUpRequest,
  LateResult,
  PaymentProvider,
  ProviderAnswer,
  ProviderOutcome,
} from "./provider.ts";

/** Late results that may wait to be reported. Others are found by their key when they are looked up. */
const lateResultsMax = 1_000;

/**
 * The provider for development and tests: the simulated card network, over a connection that can be slow or fail.
 * `test-tokens.ts` says how each card behaves.
 */
export function createSimulatedProvider(o: { readonly sql: Sql; readonly log: Logger }): PaymentProvider {
  const network = createCardNetwork(o.sql);
  const late = createLateResults(o.log);

  /** Asks the network, and waits for its answer until the signal fires. */
  async function ask(request: NetworkRequest, signal: AbortSignal): Promise<ProviderOutcome> {
    const answer = await untilAborted(network.request(request), signal);
    if (answer === undefined) return unknown("the network did not answer in time");
    if (answer.kind === "UNREACHABLE") return unknown("the network is unreachable");
    const { entry, first, card } = answer;
    if (first && card.losesAnswer === true) {
      await untilAborted(new Promise<never>(() => {}), signal);
      return unknown("the network's answer was lost");
    }
    const waitMs = entry.answerTime.getTime() - Date.now();
    if (waitMs <= 0) return answerOf(entry);
    await sleep(waitMs, { signal, ref: false });
    if (!signal.aborted) return answerOf(entry);
    late.reportAt(entry.answerTime, { key: entry.key, answer: answerOf(entry) });
    return unknown("the network is slow");
  }

  const followUp = (kind: "CAPTURE" | "VOID" | "REFUND") => (request: FollowUpRequest, signal: AbortSignal) =>
    orUnknown(ask({ ...request, kind, orderReference: request.orderId, paymentMethod: undefined }, signal));

  return {
    authorize(request: AuthorizeRequest, signal) {
      const { key, orderId, amount, currency, paymentMethod } = request;
      const asked = {
        kind: "AUTHORIZE" as const,
        key,
        authorizationKey: key,
        orderReference: orderId,
        amount,
        currency,
        paymentMethod,
      };
      return orUnknown(ask(asked, signal));
    },
    capture: followUp("CAPTURE"),
    void: followUp("VOID"),
    refund: followUp("REFUND"),
    find: (key, signal) => orUnknown(find(network, key, signal)),
    onResult: late.listen,
    close: late.close,
  };
}

async function find(network: CardNetwork, key: string, signal: AbortSignal): Promise<ProviderOutcome | undefined> {
  const looked = await untilAborted(
    network.find(key).then((entry) => ({ entry })),
    signal,
  );
  if (looked === undefined) return unknown("the network did not answer in time");
  if (looked.entry === undefined) return undefined;
  return looked.entry.answerTime.getTime() > Date.now() ? unknown("the network is slow") : answerOf(looked.entry);
}

/**
 * The network is a database here. An error on the way to it has an unknown outcome, as a broken connection to a real
 * one has.
 */
async function orUnknown<T>(work: Promise<T>): Promise<T | ProviderOutcome> {
  try {
    return await work;
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error));
  }
}

function answerOf(entry: NetworkEntry): ProviderAnswer {
  if (entry.outcome === "APPROVED") return { kind: "APPROVED", reference: entry.reference };
  return { kind: "DECLINED", code: entry.code ?? "declined" };
}

function unknown(cause: string): ProviderOutcome {
  return { kind: "UNKNOWN", cause };
}

/** Resolves with the work's result, or with undefined where the signal aborts first. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return await raceSignal(work, signal).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
}

/**
 * Reports results at their time to the listener. A result that is not reported because the process ended is found by
 * its key.
 */
function createLateResults(log: Logger) {
  const waiting = new Set<NodeJS.Timeout>();
  const reporting = new Set<Promise<void>>();
  let handler: ((result: LateResult) => Promise<void>) | undefined;

  async function report(result: LateResult): Promise<void> {
    try {
      await handler?.(result);
    } catch (error) {
      log.warn({ err: error, key: result.key }, "late provider result not recorded");
    }
  }

  return {
    listen(listener: (result: LateResult) => Promise<void>) {
      handler = listener;
    },
    reportAt(time: Date, result: LateResult) {
      if (waiting.size >= lateResultsMax) return;
      const timer = setTimeout(
        () => {
          waiting.delete(timer);
          const reported = report(result).finally(() => reporting.delete(reported));
          reporting.add(reported);
        },
        Math.max(0, time.getTime() - Date.now()),
      );
      waiting.add(timer);
    },
    async close() {
      for (const timer of waiting) clearTimeout(timer);
      waiting.clear();
      await Promise.all(reporting);
    },
  };
}
