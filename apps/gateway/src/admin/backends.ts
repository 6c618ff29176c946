import { AuditService, DeadLetterService, SubscriptionService } from "@rialto/contracts";
import { type ClientFactory, serviceNames } from "@rialto/service";
import type { AuditKeeper } from "./audit-api.ts";
import type { EventKeeper } from "./event-admin-api.ts";

/** What one service keeps of events and of audit entries, which the gateway shows as one with what the others keep. */
export type Keeper = EventKeeper & AuditKeeper;

/** Every service as a keeper of events and of audit entries, called by the gateway. */
export function eventKeepers(clients: ClientFactory): readonly Keeper[] {
  return serviceNames.map((service) => ({
    service,
    deadLetters: clients.of(DeadLetterService, "gateway", service),
    subscriptions: clients.of(SubscriptionService, "gateway", service),
    audit: clients.of(AuditService, "gateway", service),
  }));
}
