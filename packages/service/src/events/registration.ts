import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { backoffMs, sleep } from "@rialto/async";
import { RegistrationService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { openDeliverySince, registerSubscription, type Subscription } from "@rialto/events";
import { backgroundContext, CallError, callErrors, isUnavailable, type Route, serve } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { ClientFactory } from "../clients.ts";
import type { ServiceName } from "../service-name.ts";
import { publisherOf } from "./topics.ts";

const retryDelayMsMin = 200;
const retryBackoff = { delayMsMin: retryDelayMsMin, delayMsMax: 5_000 } as const;
/**
 * Failures in a row that are normal, because a publisher may start a little later. From then on the delay is the
 * longest.
 */
const quietFailuresMax = 5;

/** Registers the subscriptions of one service with their publishers. */
export interface Registrar {
  /** Returns the registrations that no publisher has confirmed yet since this process started. */
  waiting(): readonly Registration[];
  /**
   * Registers with the publishers in this process. Rejects if one refuses: a service without `publishes` does not serve
   * this call.
   */
  registerHere(): Promise<void>;
  /**
   * Registers with the publishers in other processes and retries until each one answers: a publisher may start later,
   * or wait for this process in turn. Until then no event is kept for the subscription, unless an earlier process
   * registered it. Stops when the signal aborts.
   */
  registerElsewhere(signal: AbortSignal): void;
}

/** Creates the registrar of a service. It registers nothing by itself. */
export function createRegistrar(o: {
  readonly service: ServiceName;
  readonly subscriptions: readonly Subscription[];
  readonly runsHere: readonly ServiceName[];
  readonly clients: Pick<ClientFactory, "of">;
  readonly log: Logger;
}): Registrar {
  const { service, runsHere, clients, log } = o;
  const waiting = new Set(o.subscriptions.flatMap(registrationsOf));
  const isHere = ({ publisher }: Registration) => runsHere.includes(publisher);

  async function register(registration: Registration, signal?: AbortSignal): Promise<void> {
    const { subscription, publisher, topics, formerTopics } = registration;
    const client = clients.of(RegistrationService, service, publisher);
    await client.registerSubscription(
      { subscription, topics: [...topics], formerTopics: [...formerTopics] },
      backgroundContext(signal === undefined ? {} : { signal }),
    );
    waiting.delete(registration);
  }

  async function registerUntilDone(registration: Registration, signal: AbortSignal): Promise<void> {
    const { subscription, publisher } = registration;
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        await register(registration, signal);
        log.info({ subscription, publisher }, "subscription registered");
        return;
      } catch (error) {
        if (signal.aborted) return;
        const level = failures <= quietFailuresMax && isUnavailable(error) ? "debug" : "warn";
        log[level]({ subscription, publisher, err: error }, "subscription not registered yet, retrying");
        await sleep(retryDelayMsMin + backoffMs(failures, retryBackoff), { signal });
      }
    }
  }

  return {
    waiting: () => [...waiting],
    async registerHere() {
      for (const registration of [...waiting].filter(isHere)) await register(registration);
    },
    registerElsewhere(signal) {
      for (const registration of waiting) if (!isHere(registration)) void registerUntilDone(registration, signal);
    },
  };
}

/**
 * Serves registration at the publisher. From its answer on, matching events of this service are kept for the
 * subscription.
 */
export function registrationRoute(publisher: ServiceName, database: Database): Route {
  return serve(RegistrationService, {
    async registerSubscription({ subscription, topics, formerTopics }) {
      const foreign = topics.findIndex((topic) => publisherOf(topic) !== publisher);
      if (foreign >= 0) {
        const description = `is no topic of ${publisher}, whose topics begin with "${publisher}."`;
        throw new CallError(callErrors.INVALID_REQUEST, { fields: [{ field: `topics[${foreign}]`, description }] });
      }
      await registerSubscription(database.sql, { subscription, topics, formerTopics });
      return {};
    },

    async getOpenDelivery({ subscription }) {
      const since = await openDeliverySince(database.sql, subscription);
      return since === undefined ? {} : { since: timestampFromDate(since) };
    },
  });
}

/**
 * Returns the creation time of the oldest open delivery to a subscription, over all its publishers; undefined if there
 * is none. Rejects if a publisher does not answer.
 */
export async function askOpenSince(
  { clients, service }: { readonly clients: Pick<ClientFactory, "of">; readonly service: ServiceName },
  subscription: Subscription,
  signal: AbortSignal,
): Promise<Date | undefined> {
  const answers = await Promise.all(
    registrationsOf(subscription).map(({ publisher }) =>
      clients
        .of(RegistrationService, service, publisher)
        .getOpenDelivery({ subscription: subscription.name }, backgroundContext({ signal })),
    ),
  );
  const times = answers.flatMap(({ since }) => (since === undefined ? [] : [+timestampDate(since)]));
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

/** A subscription and those of its topics that one service publishes. */
export interface Registration {
  readonly subscription: string;
  readonly publisher: ServiceName;
  readonly topics: readonly string[];
  /** What earlier versions asked this service for. */
  readonly formerTopics: readonly string[];
}

/** Groups a subscription's topics by their publisher. The first word of a topic names it. */
function registrationsOf(subscription: Subscription): readonly Registration[] {
  const topicsOf = Map.groupBy(subscription.topics, publisherOf);
  const formerTopicsOf = (publisher: ServiceName) =>
    subscription.formerTopics.filter((topic) => publisherOf(topic) === publisher);
  return [...topicsOf].map(([publisher, topics]) => ({
    subscription: subscription.name,
    publisher,
    topics,
    formerTopics: formerTopicsOf(publisher),
  }));
}
