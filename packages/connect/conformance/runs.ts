/** One run of the suite: what is under test, and which of its features. */
export interface Run {
  readonly name: string;
  readonly mode: "server" | "client";
  /** The suite's configuration (its docs/configuring_and_running_tests.md). */
  readonly config: { readonly features: Readonly<Record<string, boolean | readonly string[]>> };
  /** The program under test, by its path in the repository; this package's server or client where it is left out. */
  readonly program?: string;
  /** A file of patterns of cases that fail, each with its reason, by its path in the repository. */
  readonly knownFailing?: string;
  /** Patterns of cases of which it depends on the machine whether they fail. */
  readonly knownFlaky?: readonly string[];
  /** How many servers are started at once. */
  readonly serversMax?: number;
}

const features = {
  versions: ["HTTP_VERSION_1", "HTTP_VERSION_2"],
  protocols: ["PROTOCOL_CONNECT", "PROTOCOL_GRPC", "PROTOCOL_GRPC_WEB"],
  codecs: ["CODEC_PROTO", "CODEC_JSON"],
  compressions: ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"],
  supportsTls: false,
  supportsConnectGet: true,
  supportsHalfDuplexBidiOverHttp1: false,
  supportsMessageReceiveLimit: false,
};

/** What a change must pass. */
export const plainRuns: readonly Run[] = runsOf("plain", features);

/** Everything else. TLS is run beside cleartext, so that one connection may follow another of the other kind. */
export const furtherRuns: readonly Run[] = [
  ...runsOf("TLS", { ...features, supportsTls: true, supportsTlsClientCerts: true }),
  ...runsOf("receive limits", { ...features, supportsMessageReceiveLimit: true }),
  ...runsOf("Brotli", { ...features, compressions: ["COMPRESSION_IDENTITY", "COMPRESSION_BR"] }),
  throughGateway(),
];

/**
 * The suite's service behind the gateway, which receives the messages of a call before it asks the service: so no
 * service answers in the middle of them (full duplex).
 */
function throughGateway(): Run {
  const streams = ["UNARY", "CLIENT_STREAM", "SERVER_STREAM", "HALF_DUPLEX_BIDI_STREAM"];
  const streamTypes = streams.map((type) => `STREAM_TYPE_${type}`);
  return {
    name: "server, through the gateway",
    mode: "server",
    config: { features: { ...features, streamTypes } },
    program: "apps/gateway/conformance/server.ts",
    knownFailing: "apps/gateway/conformance/known-failing.txt",
    // Where the machine is slow, their deadline passes before the gateway has refused them, as they expect.
    knownFlaky: ["CONNECT", "GRPC_WEB"].map(
      (protocol) => `Timeouts/**/Protocol:PROTOCOL_${protocol}/**/bidi-stream/**`,
    ),
    // It loads all of the gateway. The runner waits 10 s for each.
    serversMax: 1,
  };
}

function runsOf(name: string, of: Run["config"]["features"]): readonly Run[] {
  return (["server", "client"] as const).map((mode) => ({ name: `${mode}, ${name}`, mode, config: { features: of } }));
}
