/** One run of the suite: what is under test, and which of its features. */
export interface Run {
  readonly name: string;
  readonly mode: "server" | "client";
  /** The suite's configuration (its docs/configuring_and_running_tests.md). */
  readonly config: { readonly features: Readonly<Record<string, boolean | readonly string[]>> };
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
];

function runsOf(name: string, of: Run["config"]["features"]): readonly Run[] {
  return (["server", "client"] as const).map((mode) => ({ name: `${mode}, ${name}`, mode, config: { features: of } }));
}
