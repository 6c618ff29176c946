export { type DeadLetter, listDeadLetters, retryDeadLetters } from "./dead-letters.ts";
export { inboxTables } from "./inbox-tables.ts";
export { createJobs, type Jobs } from "./jobs.ts";
export { migrateJobs } from "./jobs-postgres.ts";
export { type OutboxLag, outboxIsSettled, outboxLag } from "./lag.ts";
export { outboxTables } from "./outbox-tables.ts";
export { type Publication, publish } from "./publish.ts";
export { registerSubscription } from "./registration.ts";
export { createRelay, type Relay } from "./relay.ts";
export { runSubscription } from "./run-subscription.ts";
export {
  type Event,
  type Handler,
  type InboxKey,
  type Subscription,
  type SubscriptionOptions,
  subscribe,
} from "./subscription.ts";
