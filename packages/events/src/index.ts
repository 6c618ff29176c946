export {
  type DeadLetter,
  type DeadLetterKey,
  discardDeadLetter,
  listDeadLetters,
  readDeadLetter,
  retryDeadLetters,
} from "./inbox/dead-letters.ts";
export { addSubscriberGauges } from "./inbox/gauges.ts";
export { isPaused, pauseSubscription, resumeSubscription } from "./inbox/pause.ts";
export { removeFromInbox } from "./inbox/retention.ts";
export { type RunningSubscription, runSubscription } from "./inbox/run-subscription.ts";
export { type SubscriberStats, subscriberStats } from "./inbox/stats.ts";
export {
  type Event,
  type Handled,
  type Handler,
  type InboxKey,
  type Subscription,
  type SubscriptionOptions,
  subscribe,
} from "./inbox/subscription.ts";
export { inboxTables } from "./inbox/tables.ts";
export { addPublisherGauges } from "./outbox/gauges.ts";
export { type Publication, publish } from "./outbox/publish.ts";
export { registerSubscription, removeRegistration } from "./outbox/registration.ts";
export { createRelay, type Relay } from "./outbox/relay.ts";
export { emptyQueues, restartDeliveries } from "./outbox/restart-deliveries.ts";
export {
  type OutboxLag,
  openDeliverySince,
  outboxIsSettled,
  outboxLag,
  type PublisherStats,
  publisherStats,
} from "./outbox/stats.ts";
export { outboxTables } from "./outbox/tables.ts";
export { createJobs } from "./queue/create-jobs.ts";
export type { Jobs } from "./queue/jobs.ts";
export { jobLockMs } from "./queue/options.ts";
export { migrateJobs } from "./queue/postgres.ts";
export { needsOtherConnection } from "./queue/redis.ts";
