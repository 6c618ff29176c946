import { DeadLetterService, SubscriptionService } from "@rialto/contracts";
import { type ClientFactory, serviceNames } from "@rialto/service";
import type { EventKeeper } from "./events-door.ts";

/** Every service as a keeper of events, called by the gateway. */
export function eventKeepers(clients: ClientFactory): readonly EventKeeper[] {
  return serviceNames.map((service) => ({
    service,
    deadLetters: clients.of(DeadLetterService, "gateway", service),
    subscriptions: clients.of(SubscriptionService, "gateway", service),
  }));
}
