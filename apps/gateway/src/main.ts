import { AuthService } from "@rialto/contracts";
import { createTokenVerifier, watchRevocations } from "@rialto/rpc";
import {
  accessKeysFrom,
  addUpstreamGauges,
  createClientFactory,
  endedSessionsFrom,
  openIdentity,
  openRateLimits,
  requireRedis,
  runMain,
} from "@rialto/service";
import { defaultPorts } from "@rialto/service/config";
import { createAdminBackends } from "./admin/backends.ts";
import { gatewayVariables, readTls } from "./config.ts";
import { startGateway } from "./gateway.ts";
import { gatewayOptions } from "./options.ts";

await runMain({
  name: "gateway",
  scope: { runs: ["gateway"], variables: [gatewayVariables] },
  async start({ config: processConfig, log, telemetry, metrics: registry }) {
    const config = { ...processConfig, ...processConfig.read(gatewayVariables) };
    const identity = await openIdentity(config);
    const metrics = registry?.of("gateway");
    const clients = createClientFactory({ config, identity, endpoints: new Map(), runsHere: [], log, metrics });
    if (metrics !== undefined) addUpstreamGauges(metrics, clients);
    const sessions = clients.of(AuthService, "gateway");
    const revocations = watchRevocations({ fetch: endedSessionsFrom(sessions), log });
    const { redisUrl, redisPrefix } = config;
    if (redisUrl !== undefined) await requireRedis({ redisUrl, redisPrefix });
    const rateLimits = openRateLimits(config);
    // Only the user service decides this. Another service that is compromised must not be able to ask for access
    // tokens.
    let areGatewayTokensAccepted = false;
    const gateway = await startGateway({
      port: config.port ?? defaultPorts.gateway,
      tls: await readTls(config),
      reflection: config.reflection,
      upstream: clients.upstream,
      target: clients.target,
      revocations,
      verifier: createTokenVerifier({
        accessKeys: accessKeysFrom(sessions, (areAccepted) => {
          areGatewayTokensAccepted = areAccepted;
        }),
        serviceKeys: identity.serviceKeys,
        revocations,
      }),
      ...gatewayOptions(config, rateLimits),
      tokens: identity.tokensOf("gateway"),
      persons: identity.personTokens(),
      passesAccessTokens: () => !areGatewayTokensAccepted,
      adminBackends: createAdminBackends(clients),
      log,
      tracing: telemetry.tracingOf("gateway"),
      traces: telemetry.traces,
      metrics,
    });
    log.info({ port: gateway.port, host: config.host ?? "all addresses" }, "listening");
    return {
      async stop() {
        await gateway.close();
        await revocations.stop();
        await rateLimits.close();
        clients.close();
      },
    };
  },
});
