import { createAdminBackends, gatewayOptions, gatewayVariables, readTls, startGateway } from "@rialto/gateway";
import {
  type LogOutput,
  openRateLimits,
  type Running,
  runServices,
  type ServiceDefinition,
  type StartupNotice,
} from "@rialto/service";
import { type Config, defaultPorts } from "@rialto/service/config";
import type { MetricRegistry, Telemetry } from "@rialto/telemetry";
import { type OwnPostgres, startOwnPostgres } from "./embedded-postgres.ts";
import { requireFreePort } from "./free-port.ts";
import { services } from "./services.ts";

/** The whole of Rialto, running in this process. */
export interface Rialto {
  readonly port: number;
  readonly startupNotices: readonly StartupNotice[];
  /** Closes the gateway and finishes its requests, then stops the services, and last the embedded Postgres. */
  stop(): Promise<void>;
}

/**
 * Starts all services and the gateway in this process, on DATABASE_URL or on an embedded Postgres in the data folder.
 */
export async function startRialto(o: {
  readonly config: Config;
  readonly logOf: LogOutput["logOf"];
  /** Nothing is traced without it. */
  readonly telemetry?: Pick<Telemetry, "tracingOf" | "traces"> | undefined;
  /** Nothing is counted without it. */
  readonly metrics?: MetricRegistry | undefined;
  /** The server that `startOwnPostgres` starts for it, where the caller has begun that. It is stopped with the rest. */
  readonly ownPostgres?: Promise<OwnPostgres | undefined> | undefined;
  /** The services to run; all by default. */
  readonly definitions?: readonly ServiceDefinition[];
}): Promise<Rialto> {
  const { config, logOf, telemetry, metrics, definitions = services } = o;
  const gatewayConfig = { ...config, ...config.read(gatewayVariables) };
  const port = config.port ?? defaultPorts.gateway;
  // Checked first: everything else takes a second or more to start, and as long to stop again.
  if (o.ownPostgres === undefined) await requireFreePort(port, config.host);
  const postgres = await (o.ownPostgres ?? startOwnPostgres({ config, log: logOf("rialto") }));
  let running: Running | undefined;
  try {
    const tls = await readTls(gatewayConfig);
    running = await runServices(definitions, {
      config,
      logOf,
      telemetry,
      metrics,
      listens: false,
      ...(postgres === undefined ? {} : { adminUrl: postgres.url }),
    });
    // Before anybody is let in, or a session that has ended would be good for a moment. Where it fails, as while the
    // database is moved, the list is asked for again soon.
    await running.revocations.refresh().catch(() => undefined);
    const rateLimits = openRateLimits(config);
    const gateway = await startGateway({
      port,
      tls,
      reflection: config.reflection,
      verifier: running.verifier,
      ...gatewayOptions(gatewayConfig, rateLimits),
      tokens: running.identity.tokensOf("gateway"),
      persons: running.identity.personTokens(),
      upstream: running.clients.upstream,
      target: running.clients.target,
      revocations: running.revocations,
      jobs: running.jobs,
      adminBackends: createAdminBackends(running.clients),
      log: logOf("gateway"),
      tracing: telemetry?.tracingOf("gateway"),
      traces: telemetry?.traces,
      metrics: metrics?.of("gateway"),
    });
    const { startupNotices } = running;
    const { beginStop, stop: stopServices } = running;
    return {
      port: gateway.port,
      startupNotices,
      async stop() {
        beginStop();
        await gateway.close();
        await rateLimits.close();
        await stopServices();
        await postgres?.stop();
      },
    };
  } catch (error) {
    await running?.stop();
    await postgres?.stop();
    throw error;
  }
}
