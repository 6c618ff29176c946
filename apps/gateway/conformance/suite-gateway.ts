import { generateKeyPairSync } from "node:crypto";
import type { TlsCredentials } from "@rialto/http";
import { createPersonTokens, createServiceTokens, createTokenVerifier, createUpstream } from "@rialto/rpc";
import { createLogger } from "@rialto/telemetry";
import { type Gateway, startGateway } from "../src/index.ts";
import { publishedSuiteService } from "./suite-service.ts";

/** The headers of the suite's own that its cases look for. The gateway passes none that is not listed. */
const suiteHeaders = ["x-conformance-test", "x-custom-header", "x-test-case-name"];

/** Starts a gateway that forwards calls of the suite's service to this address, for everybody. */
export async function startSuiteGateway(o: {
  readonly host: string;
  readonly serviceUrl: string;
  readonly tls?: TlsCredentials | undefined;
}): Promise<Gateway> {
  const upstream = createUpstream({ kind: "remote", urls: [o.serviceUrl] });
  const own = { name: "gateway", privateKey: newKey() };
  const gateway = await startGateway({
    port: 0,
    host: o.host,
    tls: o.tls,
    furtherServices: [publishedSuiteService()],
    passedHeaders: suiteHeaders,
    upstream: () => upstream,
    target: () => ({ kind: "remote", upstream }),
    verifier: createTokenVerifier({ accessKeys: async () => ({ keys: [] }), serviceKeys: { keys: [] } }),
    tokens: createServiceTokens(own),
    persons: createPersonTokens(own),
    adminBackends: [],
    // All of the suite comes from one address.
    backendAddresses: [o.host],
    log: createLogger({ service: "gateway", level: "silent" }),
  });
  return {
    port: gateway.port,
    async close() {
      await gateway.close();
      upstream.close();
    },
  };
}

function newKey() {
  // A key as `packages/rpc` takes it: what Node exports, with its name.
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { ...jwk, kty: "OKP", kid: "gateway", alg: "EdDSA" };
}
