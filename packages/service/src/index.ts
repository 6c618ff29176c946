export type { App, Calls, Clients } from "./app.ts";
export { auditCommand, auditEntryBytes, auditFilterOf, auditKeys } from "./audit.ts";
export { accessKeysFrom, type ClientFactory, createClientFactory, endedSessionsFrom } from "./clients.ts";
export { backendAddresses } from "./config/backend-addresses.ts";
export { type Config, readConfig } from "./config/config.ts";
export {
  addressBlocks,
  baseUrl,
  emailAddress,
  flag,
  isEd25519,
  isPair,
  isPrivate,
  isTooWide,
  mailbox,
  nameList,
  oneOf,
  origins,
  privateKey,
  publicKeys,
  seconds,
  text,
  textOf,
  urlOf,
  wholeNumber,
} from "./config/kinds.ts";
export { processVariableFamilies, processVariables } from "./config/process-variables.ts";
export type { ConfigScope } from "./config/required-variables.ts";
export { ConfigurationError, type Values, type Variable, type Variables, variable } from "./config/variable.ts";
export { defineService, type ServiceDefinition, type ServiceOptions } from "./define-service.ts";
export { deadLetterBytes, deadLetterKeys } from "./events/dead-letter-admin.ts";
export { eventErrors } from "./events/errors.ts";
export { mergeSubscriptions, type SubscriptionPart } from "./events/subscription-admin.ts";
export { topicsOf } from "./events/topics.ts";
export { type Identity, openIdentity, openKeyFile } from "./identity/identity.ts";
export { connectionsNeeded } from "./process/databases.ts";
export { addReadyGauge, addUpstreamGauges } from "./process/gauges.ts";
export { migrateAll } from "./process/migrate-all.ts";
export { openRateLimits, type RateLimiter, type RateLimitState, type RateLimits } from "./process/rate-limits.ts";
export { requireRedis } from "./process/redis-start.ts";
export { type LogOutput, type Main, runMain, runTask } from "./process/run-main.ts";
export { runProcess } from "./process/run-process.ts";
export { type Running, type RunOptions, runServices } from "./process/run-services.ts";
export { type StopTimes, stopTimesOf } from "./process/stop-times.ts";
export { openTaskAccess, type TaskAccess } from "./process/task-access.ts";
export type { Verdict } from "./process/window-counter.ts";
export { every, type Schedule } from "./schedules/schedule.ts";
export { type CallerName, callerNames, defaultPorts, type ServiceName, serviceNames } from "./service-name.ts";
export { type StartupNotice, startupNoticeText } from "./startup-notice.ts";
