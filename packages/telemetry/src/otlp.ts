/** Where one signal is sent by OTLP over HTTP. */
export interface OtlpTarget {
  /** The whole URL, with the path of the signal. */
  readonly url: string;
  readonly protocol: "http/protobuf" | "http/json";
  readonly headers: Readonly<Record<string, string>>;
  /** How long one export may take, with its retries. */
  readonly timeoutMs: number;
}

/** What the OTEL_ variables say. A signal without a target is not exported. */
export interface TelemetryConfig {
  /** OTEL_SDK_DISABLED: nothing is exported, and no traces are kept. */
  readonly disabled: boolean;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly traces: OtlpTarget | undefined;
  readonly metrics: OtlpTarget | undefined;
  readonly logs: OtlpTarget | undefined;
  /** The share of the traces that begin here and are recorded, 0 to 1. One that began elsewhere was decided there. */
  readonly samplingRatio: number;
}
