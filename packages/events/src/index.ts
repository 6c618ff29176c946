export { createJobs } from "./create-jobs.ts";
export {
  type DeadLetter,
  type DeadLetterKey,
  discardDeadLetter,
  listDeadLetters,
  readDeadLetter,
  retryDeadLetters,
} from "./dead-letters.ts";
export { inboxTables } from "./inbox-tables.ts";
export type { Jobs } from "./jobs.ts";
export { migrateJobs } from "./jobs-postgres.ts";
export { type OutboxLag, openDeliverySince, outboxIsSettled, outboxLag } from "./lag.ts";
export { outboxTables } from "./outbox-tables.ts";
export { isPaused, pauseSubscription, resumeSubscription } from "./pausing.ts";
export { type Publication, publish } from "./publish.ts";
export { needsOtherConnection } from "./redis-failures.ts";
export { registerSubscription } from "./registration.ts";
export { createRelay, type Relay } from "./relay.ts";
export { removeFromInbox, removeRegistration } from "./removal.ts";
export { emptyQueues, restartDeliveries } from "./restart-deliveries.ts";
export { runSubscription } from "./run-subscription.ts";
export {
  type Event,
  type Handler,
  type InboxKey,
  type Subscription,
  type SubscriptionOptions,
  subscribe,
} from "./subscription.ts";
export {
  type PublisherFigures,
  publisherFigures,
  type SubscriberFigures,
  subscriberFigures,
} from "./subscription-figures.ts";
