/** The gateway alone: checks the access token, counts the request, and forwards it to one address. */
import type * as GatewayPackage from "../../apps/gateway/src/index.ts";
import type * as Rpc from "../../packages/rpc/src/index.ts";
import type * as Service from "../../packages/service/src/index.ts";
import type * as Telemetry from "../../packages/telemetry/src/index.ts";
import { givenKeys, onStop, ours, port } from "./root.ts";

const { startGateway } = await ours<typeof GatewayPackage>("apps/gateway/src/index.ts");
const rpc = await ours<typeof Rpc>("packages/rpc/src/index.ts");
const { openRateLimits } = await ours<typeof Service>("packages/service/src/index.ts");
const { createLogger } = await ours<typeof Telemetry>("packages/telemetry/src/index.ts");

const { access, gateway: own } = givenKeys();
const urls = [process.env.BENCH_UPSTREAM ?? ""];
const upstream = rpc.createUpstream({ kind: "remote", urls });
const rateLimits = openRateLimits({ redisUrl: undefined, redisPrefix: "bench" });
const names = { name: "gateway", privateKey: own.private };

const gateway = await startGateway({
  port,
  host: "127.0.0.1",
  verifier: rpc.createTokenVerifier({
    accessKeys: async () => ({ keys: [access.public] }),
    serviceKeys: { keys: [own.public] },
  }),
  tokens: rpc.createServiceTokens(names),
  persons: rpc.createPersonTokens(names),
  rateLimits,
  requestLimits: { store: rateLimits, requests: 1_000_000_000, windowSeconds: 900 },
  adminBackends: [],
  upstream: () => upstream,
  target: () => ({ kind: "remote", upstream }),
  log: createLogger({ service: "gateway" }),
});
onStop(gateway.close);
