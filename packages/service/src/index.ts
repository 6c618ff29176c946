export type { App, Calls, Clients } from "./app.ts";
export { auditCommand, auditEntryBytes, auditFilterOf, auditKeys } from "./audit.ts";
export { accessKeysFrom, type ClientFactory, createClientFactory, endedSessionsFrom } from "./clients.ts";
export { type Config, readConfig } from "./config/config.ts";
export { ConfigurationError } from "./config/configuration-error.ts";
export type { ConfigScope } from "./config/required-variables.ts";
export { readTls } from "./config/tls.ts";
export { defineService, type ServiceDefinition, type ServiceOptions } from "./define-service.ts";
export { deadLetterBytes, deadLetterKeys } from "./events/dead-letter-admin.ts";
export { eventErrors } from "./events/errors.ts";
export { mergeSubscriptions, type SubscriptionPart } from "./events/subscription-admin.ts";
export { type Identity, openIdentity } from "./identity/identity.ts";
export type { SigningKeys } from "./identity/signing-keys.ts";
export { migrateAll } from "./process/migrate-all.ts";
export {
  openRateLimits,
  type RateLimiter,
  type RateLimitState,
  type RateLimits,
  type Verdict,
} from "./process/rate-limits.ts";
export { requireRedis } from "./process/redis-start.ts";
export { type LogOutput, type Main, runMain, runProcess, runTask } from "./process/run-main.ts";
export { type Running, type RunOptions, runServices } from "./process/run-services.ts";
export { openTaskAccess, type TaskAccess } from "./process/task-access.ts";
export { every, type Schedule } from "./schedules/schedule.ts";
export { type CallerName, callerNames, defaultPorts, type ServiceName, serviceNames } from "./service-name.ts";
export { type StartupNotice, startupNoticeText } from "./startup-notice.ts";
