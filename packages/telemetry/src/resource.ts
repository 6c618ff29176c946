import { hostname } from "node:os";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import { processNames } from "./semantic-names.ts";

/** What a process says of itself with everything that it exports: spans, log records, metrics. */
export interface ProcessFacts {
  /** Names this run of the process: another one after each start. */
  readonly instanceId: string;
  readonly production: boolean;
  /** OTEL_SERVICE_NAME: stands for the name of every service in the process. */
  readonly serviceName: string | undefined;
  /** OTEL_RESOURCE_ATTRIBUTES: stand beside ours, and in place of them where the names are the same. */
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Returns the OpenTelemetry resource of one service or the gateway in this process. Services that share a process are
 * told apart by `service.name`, and are known to share it by `service.instance.id`.
 */
export function resourceOf(service: string, facts: ProcessFacts): Resource {
  return resourceFromAttributes({
    [processNames.serviceName]: facts.serviceName ?? service,
    [processNames.serviceNamespace]: "rialto",
    [processNames.serviceInstanceId]: facts.instanceId,
    [processNames.environment]: facts.production ? "production" : "development",
    [processNames.hostName]: hostname(),
    [processNames.processId]: process.pid,
    [processNames.runtimeName]: "nodejs",
    [processNames.runtimeVersion]: process.versions.node,
    ...facts.attributes,
  });
}
