import { AuthService } from "@rialto/contracts";
import { createTokenVerifier, watchRevocations } from "@rialto/rpc";
import {
  accessKeysFrom,
  createClientFactory,
  defaultPorts,
  endedSessionsFrom,
  openIdentity,
  openRateLimits,
  readTls,
  requireRedis,
  runMain,
} from "@rialto/service";
import { createAdminBackends } from "./admin/backends.ts";
import { startGateway } from "./gateway.ts";
import { gatewayOptions } from "./options.ts";

await runMain({
  name: "gateway",
  scope: { runs: ["gateway"] },
  async start({ config, log }) {
    const identity = await openIdentity(config);
    const clients = createClientFactory({ config, identity, endpoints: new Map(), runsHere: [] });
    const sessions = clients.of(AuthService, "gateway");
    const revocations = watchRevocations({ fetch: endedSessionsFrom(sessions), log });
    const { redisUrl, redisPrefix } = config;
    if (redisUrl !== undefined) await requireRedis({ redisUrl, redisPrefix });
    const rateLimits = openRateLimits(config);
    // The user service alone says it: another service that was taken over must not be able to ask for access tokens.
    let areGatewayTokensTaken = false;
    const gateway = await startGateway({
      port: config.port ?? defaultPorts.gateway,
      tls: await readTls(config),
      reflection: config.reflection,
      upstream: clients.upstream,
      revocations,
      verifier: createTokenVerifier({
        accessKeys: accessKeysFrom(sessions, (areTaken) => {
          areGatewayTokensTaken = areTaken;
        }),
        serviceKeys: identity.serviceKeys,
        revocations,
      }),
      ...gatewayOptions(config, rateLimits),
      tokens: identity.tokensOf("gateway"),
      persons: identity.personTokens(),
      passesAccessTokens: () => !areGatewayTokensTaken,
      adminBackends: createAdminBackends(clients),
      log,
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
