import type { OtlpTarget, TelemetryConfig } from "@rialto/telemetry";
import { baseUrl, flag, keyValues, oneOf, ratio, text, wholeNumber } from "./kinds.ts";
import { type Values, variable } from "./variable.ts";

const protocol = oneOf("http/protobuf", "http/json");
const exporter = oneOf("otlp", "none");
const ofGeneral = (name: string) => ({ without: `\`${name}\`` });

/**
 * The standard variables of OpenTelemetry that are read. Nothing is exported unless one of them names an endpoint.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const telemetryVariables = {
  disabled: variable("OTEL_SDK_DISABLED", flag, { default: false }),
  endpoint: variable("OTEL_EXPORTER_OTLP_ENDPOINT", baseUrl, { without: "nothing is exported" }),
  tracesEndpoint: variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", baseUrl, {
    without: "`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`",
  }),
  metricsEndpoint: variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", baseUrl, {
    without: "`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/metrics`",
  }),
  logsEndpoint: variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", baseUrl, {
    without: "`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/logs`",
  }),
  tracesExporter: variable("OTEL_TRACES_EXPORTER", exporter, { default: "otlp" }),
  metricsExporter: variable("OTEL_METRICS_EXPORTER", exporter, { default: "otlp" }),
  logsExporter: variable("OTEL_LOGS_EXPORTER", exporter, { default: "otlp" }),
  protocol: variable("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, { default: "http/protobuf" }),
  headers: variable("OTEL_EXPORTER_OTLP_HEADERS", keyValues, { default: {}, without: "none" }),
  tracesHeaders: variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS", keyValues, ofGeneral("OTEL_EXPORTER_OTLP_HEADERS")),
  metricsHeaders: variable("OTEL_EXPORTER_OTLP_METRICS_HEADERS", keyValues, ofGeneral("OTEL_EXPORTER_OTLP_HEADERS")),
  logsHeaders: variable("OTEL_EXPORTER_OTLP_LOGS_HEADERS", keyValues, ofGeneral("OTEL_EXPORTER_OTLP_HEADERS")),
  timeoutMs: variable("OTEL_EXPORTER_OTLP_TIMEOUT", wholeNumber(100, 60_000), { default: 10_000 }),
  sampler: variable(
    "OTEL_TRACES_SAMPLER",
    oneOf("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    { default: "parentbased_always_on" },
  ),
  samplerRatio: variable("OTEL_TRACES_SAMPLER_ARG", ratio, { default: 1 }),
  serviceName: variable("OTEL_SERVICE_NAME", text, { without: "the name of the service" }),
  resourceAttributes: variable("OTEL_RESOURCE_ATTRIBUTES", keyValues, { default: {}, without: "none" }),
};

/** Makes the telemetry's configuration of the variables. */
export function telemetryConfig(given: Values<typeof telemetryVariables>): TelemetryConfig {
  const target = (
    signal: "traces" | "metrics" | "logs",
    own: string | undefined,
    headers: Readonly<Record<string, string>> | undefined,
  ): OtlpTarget | undefined => {
    if (given.disabled || given[`${signal}Exporter`] === "none") return undefined;
    const url = own ?? (given.endpoint === undefined ? undefined : `${given.endpoint}/v1/${signal}`);
    if (url === undefined) return undefined;
    return { url, protocol: given.protocol, headers: headers ?? given.headers, timeoutMs: given.timeoutMs };
  };
  return {
    disabled: given.disabled,
    serviceName: given.serviceName,
    resourceAttributes: given.resourceAttributes,
    traces: target("traces", given.tracesEndpoint, given.tracesHeaders),
    metrics: target("metrics", given.metricsEndpoint, given.metricsHeaders),
    logs: target("logs", given.logsEndpoint, given.logsHeaders),
    samplingRatio: ratioOf(given),
  };
}

function ratioOf({ sampler, samplerRatio }: Values<typeof telemetryVariables>): number {
  if (sampler === "parentbased_always_off") return 0;
  return sampler === "parentbased_always_on" ? 1 : samplerRatio;
}
