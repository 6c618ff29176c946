import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { RegistrationService } from "@rialto/contracts";
import type { Database } from "@rialto/database";
import { openDeliverySince, registerSubscription, type Subscription } from "@rialto/events";
import { callErrors, type Route, refuse, serve, workOrigin } from "@rialto/rpc";
import type { ClientFactory } from "../clients.ts";
import { type ServiceName, serviceNames } from "../service-name.ts";

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

    async getOpenDelivery({ subscription }) {
      const since = await openDeliverySince(database.sql, subscription);
      return since === undefined ? {} : { since: timestampFromDate(since) };
    },
  });
}

/**
 * Asks every publisher of a subscription since when a delivery to it is open: the earliest of their answers, undefined where none is. Rejects where
 * one cannot be asked.
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
        .getOpenDelivery({ subscription: subscription.name }, workOrigin({ signal })),
    ),
  );
  const times = answers.flatMap(({ since }) => (since === undefined ? [] : [+timestampDate(since)]));
  return times.length === 0 ? undefined : new Date(Math.min(...times));
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

function publisherOf(topic: string): ServiceName {
  const word = topic.split(".", 1)[0];
  const publisher = serviceNames.find((name) => name === word);
  if (publisher === undefined) throw new Error(`Topic "${topic}" does not begin with a service's name`);
  return publisher;
}
