export type { Announcement, App, Calls, Clients } from "./app.ts";
export { accessKeysFrom, type ClientFactory, createClientFactory, endedSessionsFrom, urlsOf } from "./clients.ts";
export { type Config, readConfig } from "./config.ts";
export { ConfigurationError } from "./configuration-error.ts";
export { defineService, type ServiceDefinition, type ServiceOptions } from "./define-service.ts";
export { eventErrors } from "./errors.ts";
export { type Identity, openIdentity } from "./identity.ts";
export { mergeSubscriptions, type SubscriptionPart } from "./merge-subscriptions.ts";
export { migrateAll } from "./migrate-all.ts";
export { openRateLimits, type RateLimiter, type RateLimitState, type RateLimits, type Verdict } from "./rate-limits.ts";
export type { ConfigScope } from "./required-variables.ts";
export { type LogOutput, type Main, runMain, runProcess, runTask } from "./run-main.ts";
export { type Running, type RunOptions, runServices } from "./run-services.ts";
export { every, type Schedule } from "./schedule.ts";
export { type CallerName, callerNames, defaultPorts, type ServiceName, serviceNames } from "./service-name.ts";

export { readTls } from "./tls.ts";
