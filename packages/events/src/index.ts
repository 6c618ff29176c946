export { removeFromInbox, removeRegistration } from "./administration/removal.ts";
export {
  type PublisherFigures,
  publisherFigures,
  type SubscriberFigures,
  subscriberFigures,
} from "./administration/stats.ts";
export {
  type DeadLetter,
  type DeadLetterKey,
  discardDeadLetter,
  listDeadLetters,
  readDeadLetter,
  retryDeadLetters,
} from "./inbox/dead-letters.ts";
export { isPaused, pauseSubscription, resumeSubscription } from "./inbox/pausing.ts";
export { runSubscription } from "./inbox/run-subscription.ts";
export {
  type Event,
  type Handler,
  type InboxKey,
  type Subscription,
  type SubscriptionOptions,
  subscribe,
} from "./inbox/subscription.ts";
export { inboxTables } from "./inbox/tables.ts";
export { type OutboxLag, openDeliverySince, outboxIsSettled, outboxLag } from "./outbox/lag.ts";
export { type Publication, publish } from "./outbox/publish.ts";
export { registerSubscription } from "./outbox/registration.ts";
export { createRelay, type Relay } from "./outbox/relay.ts";
export { emptyQueues, restartDeliveries } from "./outbox/restart-deliveries.ts";
export { outboxTables } from "./outbox/tables.ts";
export { createJobs } from "./queue/create-jobs.ts";
export type { Jobs } from "./queue/jobs.ts";
export { migrateJobs } from "./queue/postgres.ts";
export { needsOtherConnection } from "./queue/redis-failures.ts";
