import { AuditService, DeadLetterService, SubscriptionService } from "@rialto/contracts";
import type { Client } from "@rialto/rpc";
import { type ClientFactory, serviceNames } from "@rialto/service";

/** One service's subscriptions and dead letters. */
export interface EventBackend {
  readonly service: string;
  readonly deadLetters: Client<typeof DeadLetterService>;
  readonly subscriptions: Client<typeof SubscriptionService>;
}

/** One service's audit log. */
export interface AuditBackend {
  readonly service: string;
  readonly audit: Client<typeof AuditService>;
}

/** One service, as the gateway's event admin API and audit API call it. */
export type AdminBackend = EventBackend & AuditBackend;

/** Makes a backend of every service. Calls are made as the gateway. */
export function createAdminBackends(clients: ClientFactory): readonly AdminBackend[] {
  return serviceNames.map((service) => ({
    service,
    deadLetters: clients.of(DeadLetterService, "gateway", service),
    subscriptions: clients.of(SubscriptionService, "gateway", service),
    audit: clients.of(AuditService, "gateway", service),
  }));
}
