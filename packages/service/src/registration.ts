import { setTimeout as sleep } from "node:timers/promises";
import { RegistrationService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { registerSubscription, type Subscription } from "@rialto/events";
import { type Client, callErrors, isUnavailable, type Route, refuse, serve, workOrigin } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { type ServiceName, serviceNames } from "./service-name.ts";

const retryDelayMsMin = 200;
const retryDelayMsMax = 5_000;

/** Serves the publisher's side: from the answer on, matching events of this service wait for the subscription. */
export function registrationRoute(publisher: ServiceName, database: Database): Route {
  return serve(RegistrationService, {
    async registerSubscription({ subscription, topics }) {
      const foreign = topics.findIndex((topic) => publisherOf(topic) !== publisher);
      if (foreign >= 0) {
        const description = `is no topic of ${publisher}, whose topics begin with "${publisher}."`;
        throw refuse(callErrors.INVALID_REQUEST, { fields: [{ field: `topics[${foreign}]`, description }] });
      }
      await registerSubscription(database.sql, subscription, topics);
      return {};
    },
  });
}

/** One registration to make: a subscription with those of its topics that one service publishes. */
export interface Registration {
  readonly subscription: string;
  readonly publisher: ServiceName;
  readonly topics: readonly string[];
}

/** Splits a subscription's topics by who publishes them: a topic's first word is its service. */
export function registrationsOf(subscription: Subscription): readonly Registration[] {
  const topicsOf = Map.groupBy(subscription.topics, publisherOf);
  return [...topicsOf].map(([publisher, topics]) => ({ subscription: subscription.name, publisher, topics }));
}

/** Registers with a publisher that is there. Throws where it refuses: one that publishes nothing knows no such call. */
export async function register(
  { subscription, topics }: Registration,
  client: Client<typeof RegistrationService>,
  signal?: AbortSignal,
): Promise<void> {
  const origin = workOrigin(signal === undefined ? {} : { signal });
  await client.registerSubscription({ subscription, topics: [...topics] }, origin);
}

/**
 * Registers with a publisher elsewhere, again and again until it answers: it may start later than its subscriber. Until then nothing
 * waits for the subscription there, unless it was registered in an earlier life. Ends, undone, when the signal aborts.
 */
export async function registerUntilDone(
  registration: Registration,
  client: Client<typeof RegistrationService>,
  o: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { subscription, publisher } = registration;
  for (let delayMsMax = retryDelayMsMin; !o.signal.aborted; delayMsMax = Math.min(delayMsMax * 2, retryDelayMsMax)) {
    try {
      await register(registration, client, o.signal);
      o.log.info({ subscription, publisher }, "subscription registered");
      return;
    } catch (error) {
      if (o.signal.aborted) return;
      // A publisher that comes up a little later is nothing to tell of.
      const level = delayMsMax < retryDelayMsMax && isUnavailable(error) ? "debug" : "warn";
      o.log[level]({ subscription, publisher, err: error }, "subscription not registered yet, trying again");
      await sleep(retryDelayMsMin + Math.random() * delayMsMax, undefined, { signal: o.signal }).catch(() => undefined);
    }
  }
}

function publisherOf(topic: string): ServiceName {
  const word = topic.split(".", 1)[0];
  const publisher = serviceNames.find((name) => name === word);
  if (publisher === undefined) throw new Error(`Topic "${topic}" does not begin with a service's name`);
  return publisher;
}
