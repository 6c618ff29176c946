export type { Announcement, App, Calls, Clients } from "./app.ts";
export { type Config, readConfig } from "./config.ts";
export { ConfigurationError } from "./configuration-error.ts";
export { defineService, type ServiceDefinition, type ServiceOptions } from "./define-service.ts";
export type { ConfigScope } from "./required-variables.ts";
export { every, type Schedule } from "./schedule.ts";
export { type CallerName, type ServiceName, serviceNames } from "./service-name.ts";
