import { randomUUID } from "node:crypto";
import { sleep } from "@rialto/async";
import { AuthService } from "@rialto/contracts";
import { type Database, isOutage, type SchemaSpec } from "@rialto/database";
import { createRelay, type Jobs, type RunningSubscription, runSubscription } from "@rialto/events";
import {
  createEndpoint,
  createHealthPages,
  createTokenVerifier,
  type Endpoint,
  isUnavailable,
  listen,
  type Readiness,
  type Revocations,
  type Route,
  type RpcListener,
  type TokenVerifier,
  watchRevocations,
} from "@rialto/rpc";
import type { Logger, MetricRegistry, Metrics, Telemetry, Tracing } from "@rialto/telemetry";
import { createApp } from "../app.ts";
import { auditRoute } from "../audit.ts";
import { accessKeysFrom, type ClientFactory, createClientFactory, endedSessionsFrom } from "../clients.ts";
import type { Config } from "../config/config.ts";
import type { OpenService, ServiceDefinition } from "../define-service.ts";
import { deadLetterRoute } from "../events/dead-letter-admin.ts";
import { askOpenSince, createRegistrar, type Registrar, registrationRoute } from "../events/registration.ts";
import { subscriptionRoute } from "../events/subscription-admin.ts";
import { type Identity, openIdentity } from "../identity/identity.ts";
import { sweepAuditLog, sweepIdempotencyKeys } from "../schedules/retention.ts";
import { type RunningSchedule, runSchedule } from "../schedules/schedule.ts";
import { defaultPorts, type ServiceName } from "../service-name.ts";
import type { StartupNotice } from "../startup-notice.ts";
import {
  connect,
  connectJobs,
  type DatabaseAccess,
  prepareDatabases,
  requireAcceptedSchema,
  requireConnections,
} from "./databases.ts";
import { addPoolGauges, addServiceGauges, addUpstreamGauges } from "./gauges.ts";
import { createReadiness } from "./readiness.ts";
import { stopTimesOf } from "./stop-times.ts";
import { createTeardown, type Teardown } from "./teardown.ts";

export interface RunOptions {
  readonly config: Config;
  /** The log of each service. */
  readonly logOf: (service: ServiceName) => Logger;
  /** Nothing is traced without it. */
  readonly telemetry?: Pick<Telemetry, "tracingOf"> | undefined;
  /** Nothing is counted without it. */
  readonly metrics?: MetricRegistry | undefined;
  /** A role that may create roles and schemas, where it is not DATABASE_URL's: the embedded Postgres'. */
  readonly adminUrl?: string;
  /** Accept requests from the network. One service alone does; if all run in one process, only the gateway listens. */
  readonly listens: boolean;
}

/** Services that run in this process. */
export interface Running {
  /** The services' endpoints, to be called in-process. */
  readonly endpoints: ReadonlyMap<ServiceName, Endpoint>;
  /** Clients for other callers in this process: the gateway. */
  readonly clients: ClientFactory;
  readonly verifier: TokenVerifier;
  /** The list of ended sessions that the verifier checks. */
  readonly revocations: Revocations;
  readonly identity: Identity;
  /** The queue of the jobs of all events, for health. */
  readonly jobs: Pick<Jobs, "isReachable">;
  /** The port that it listens on, if it listens. */
  readonly port: number | undefined;
  /** The notices of this start's seeds. */
  readonly startupNotices: readonly StartupNotice[];
  /**
   * Reports not ready from now on, asks clients to leave, and takes no more jobs: for a gateway in the same process,
   * which closes before the services do.
   */
  beginStop(): void;
  /**
   * Stops, in this order: what `beginStop` does, drains, stops accepting requests and finishes those that run, and the
   * jobs that run, within the times of `stopTimesOf`; then it stops relays and closes all connections.
   */
  stop(): Promise<void>;
}

/**
 * Runs one or more services in this process: prepares their databases, opens the services, seeds new databases,
 * registers subscriptions and starts relays, subscriptions and schedules. Services of this process call each other
 * in-process, others over HTTP. If a part does not start, everything that did is stopped before the error is thrown.
 */
export async function runServices(definitions: readonly ServiceDefinition[], o: RunOptions): Promise<Running> {
  const first = definitions[0];
  if (first === undefined) throw new Error("There is no service to run");
  const log = o.logOf(first.name);
  const teardown = createTeardown(log);
  try {
    return await start(definitions, { ...o, log }, teardown);
  } catch (error) {
    await teardown.run();
    throw error;
  }
}

/** A service whose connections are open. */
interface Part {
  readonly definition: ServiceDefinition;
  readonly name: ServiceName;
  readonly log: Logger;
  /** Undefined where nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** Undefined where nobody reads them. */
  readonly metrics: Metrics | undefined;
  readonly database: Database;
  readonly extras: ReadonlyMap<string, Database>;
  /** Undefined if the service publishes nothing. */
  readonly relay: ReturnType<typeof createRelay> | undefined;
  /** Whether it stores idempotency keys. */
  readonly keepsKeys: boolean;
  /** Whether it keeps an audit log. */
  readonly audits: boolean;
}

/** A service that can be called. Its relay, subscriptions and schedules do not run yet. */
interface Opened {
  readonly part: Part;
  readonly open: OpenService;
  readonly endpoint: Endpoint;
  readonly registrar: Registrar;
  readonly readiness: Readiness;
}

async function start(
  definitions: readonly ServiceDefinition[],
  o: RunOptions & { readonly log: Logger },
  teardown: Teardown,
): Promise<Running> {
  const { config, log } = o;
  const identity = await openIdentity(config);
  const isTraced = definitions.some(({ name }) => o.telemetry?.tracingOf(name) !== undefined);
  const isCounted = o.metrics !== undefined;
  const adminUrl = o.adminUrl ?? config.databaseUrl;
  const access = await prepareDatabases(
    { adminUrl, secret: identity.secret, config, isTraced, isCounted },
    definitions.flatMap((definition) => definition.schemas),
    { log },
  );
  const connections = await Promise.all(
    definitions.map(async (definition) => await openConnections(definition, access, teardown)),
  );
  const jobs = await connectJobs(
    access,
    connections.flatMap(({ database, extras }) => [database, ...extras.values()]),
  );
  teardown.add("jobs", () => jobs.close());

  const endpoints = new Map<ServiceName, Endpoint>();
  const runsHere = definitions.map((definition) => definition.name);
  const [first] = runsHere;
  const metrics = first === undefined ? undefined : o.metrics?.of(first);
  const clients = createClientFactory({ config, identity, endpoints, runsHere, log, metrics });
  teardown.add("clients", () => clients.close());
  if (metrics !== undefined) {
    addUpstreamGauges(metrics, clients);
    const { pool } = jobs;
    if (pool !== undefined) addPoolGauges(metrics, () => [pool]);
  }
  const sessions = clients.of(AuthService, first ?? "gateway");
  const revocations = watchRevocations({ fetch: endedSessionsFrom(sessions), log });
  teardown.add("revocations", () => revocations.stop());
  const verifier = createTokenVerifier({
    accessKeys: accessKeysFrom(sessions),
    serviceKeys: identity.serviceKeys,
    revocations,
  });

  const startupNotices: StartupNotice[] = [];
  const addStartupNotice = (notice: StartupNotice) => startupNotices.push(notice);
  const parts = await Promise.all(connections.map(async (part) => await withRelay(part, jobs, o)));
  const stopping = new AbortController();
  const opened: Opened[] = [];
  for (const part of parts) {
    const wakeRelay = (topics?: readonly string[]) => part.relay?.wake(topics);
    const open = await part.definition.open(
      createApp({ ...part, clients, config, identity, wakeRelay, addStartupNotice }),
    );
    teardown.add("services", () => open.stop());
    const { name: service, database, extras } = part;
    const registrar = createRegistrar({ service, subscriptions: open.subscriptions, runsHere, clients, log: part.log });
    const databases = [database, ...extras.values()];
    const readiness = createReadiness({ databases, registrar, stopping: stopping.signal });
    const endpoint = createEndpoint({
      service,
      routes: [...open.routes, ...eventRoutes(part, open, jobs)],
      verifier,
      fingerprintKey: identity.derivedKey(`${service} idempotency fingerprint`),
      log: part.log,
      tracing: part.tracing,
      metrics: part.metrics,
      reflection: config.reflection,
      readiness,
    });
    endpoints.set(service, endpoint);
    if (part.metrics !== undefined)
      addServiceGauges(part.metrics, {
        ...{ database, databases, jobs, publishes: part.relay !== undefined, subscriptions: open.subscriptions },
        readiness,
      });
    opened.push({ part, open, endpoint, registrar, readiness });
  }

  const onPostgres = config.redisUrl === undefined;
  const subscriptions = opened.reduce((sum, { open }) => sum + open.subscriptions.length, 0);
  const databases = parts.flatMap(({ database, extras }) => [database, ...extras.values()]);
  await requireConnections(databases, onPostgres ? subscriptions : undefined);
  // Registers with publishers of this process before the first event. Publishers elsewhere may wait for this process in
  // turn.
  for (const { registrar } of opened) await registrar.registerHere();
  await Promise.all(opened.map(({ open }) => open.seed()));

  for (const { relay } of parts) if (relay !== undefined) startRelay(relay, teardown);
  const workers = opened.flatMap(({ part, open }) => runSubscriptions(part, open, { jobs, clients }, teardown));
  const runningSchedules = opened.flatMap(({ part, open }) => runSchedules(part, open, config, teardown));
  const server = o.listens ? await listenAlone(opened, { config, clients, revocations, jobs }, teardown) : undefined;
  for (const { registrar } of opened) registrar.registerElsewhere(stopping.signal);

  const { drainMs, workMs } = stopTimesOf(config);
  let workEnded: Promise<unknown> | undefined;
  const beginStop = () => {
    // Readiness reports stopping first, so that load balancers send new requests elsewhere.
    stopping.abort();
    server?.drain();
    workEnded ??= Promise.allSettled([
      ...workers.map((worker) => worker.stop({ graceMs: workMs })),
      ...runningSchedules.map((schedule) => schedule.stop()),
    ]);
  };
  const stop = async () => {
    beginStop();
    if (server !== undefined) {
      await sleep(drainMs);
      await server.close({ graceMs: workMs - drainMs });
    }
    await workEnded;
    await teardown.run();
  };
  let stopped: Promise<void> | undefined;
  return {
    ...{ endpoints, clients, verifier, revocations, identity, jobs, startupNotices },
    port: server?.port,
    beginStop,
    stop: () => (stopped ??= stop()),
  };
}

async function openConnections(definition: ServiceDefinition, access: DatabaseAccess, teardown: Teardown) {
  const { name } = definition;
  const open = async (schema: SchemaSpec) => {
    const database = await connect(access, schema.name, name, definition.publishes);
    teardown.add("databases", () => database.close());
    await requireAcceptedSchema(access, schema, database);
    return database;
  };
  const [own, ...extra] = await Promise.all(
    definition.schemas.map(async (schema) => [schema.name, await open(schema)] as const),
  );
  if (own === undefined) throw new Error(`${name} has no schema`);
  return { definition, name, database: own[1], extras: new Map(extra) };
}

async function withRelay(
  part: Awaited<ReturnType<typeof openConnections>>,
  jobs: Jobs,
  { logOf, telemetry, metrics: registry }: Pick<RunOptions, "logOf" | "telemetry" | "metrics">,
): Promise<Part> {
  const { database, name } = part;
  const [log, tracing, metrics] = [logOf(name), telemetry?.tracingOf(name), registry?.of(name)];
  const [row] = await database.sql<{ keepsKeys: boolean; audits: boolean }[]>`
    select to_regclass('idempotency') is not null as "keepsKeys", to_regclass('audit_entry') is not null as audits`;
  const { keepsKeys = false, audits = false } = row ?? {};
  const { publishes, subscribes: hasInbox } = part.definition;
  const relay = publishes.length > 0 ? createRelay({ database, hasInbox, jobs, log, tracing, metrics }) : undefined;
  return { ...part, log, tracing, metrics, relay, keepsKeys, audits };
}

/** The routes that every service has beside its own: registration, dead letters, audit log, subscriptions. */
function eventRoutes(part: Part, { subscriptions }: OpenService, jobs: Jobs): readonly Route[] {
  const { name: service, database, audits } = part;
  const { subscribes } = part.definition;
  const publishes = part.relay !== undefined;
  return [
    ...(publishes ? [registrationRoute(service, database)] : []),
    ...(subscribes ? [deadLetterRoute({ database, subscriptions, audits })] : []),
    ...(audits ? [auditRoute(service, database)] : []),
    subscriptionRoute({ service, database, jobs, subscriptions, publishes, subscribes, audits }),
  ];
}

function startRelay(relay: ReturnType<typeof createRelay>, teardown: Teardown): void {
  relay.start();
  teardown.add("relays", () => relay.stop());
}

function runSubscriptions(
  { name: service, database, log, tracing, metrics }: Part,
  open: OpenService,
  { jobs, clients }: { readonly jobs: Jobs; readonly clients: ClientFactory },
  teardown: Teardown,
): readonly RunningSubscription[] {
  const running = open.subscriptions.map(({ name }) => name);
  return open.subscriptions.map((subscription) => {
    const openSince = (signal: AbortSignal) => askOpenSince({ clients, service }, subscription, signal);
    const worker = runSubscription({
      subscription,
      running,
      database,
      jobs,
      log,
      tracing,
      metrics,
      isOutage: isSomethingDown,
      openSince,
    });
    teardown.add("subscriptions", () => worker.stop());
    return worker;
  });
}

/** Whether a handler failed because of an outage of its database or of a service that it calls. */
function isSomethingDown(error: unknown): boolean {
  return isOutage(error) || isUnavailable(error);
}

function runSchedules(
  { database, log, keepsKeys, audits }: Part,
  open: OpenService,
  { auditDays: keptDays }: Config,
  teardown: Teardown,
): readonly RunningSchedule[] {
  const holder = randomUUID();
  const schedules = [
    ...open.schedules,
    ...(keepsKeys ? [sweepIdempotencyKeys(database, log)] : []),
    ...(audits ? [sweepAuditLog(database, { keptDays, log })] : []),
  ];
  return schedules.map((schedule) => {
    const running = runSchedule({ schedule, sql: database.sql, holder, log });
    teardown.add("schedules", () => running.stop());
    return running;
  });
}

async function listenAlone(
  opened: readonly Opened[],
  {
    config,
    clients,
    revocations,
    jobs,
  }: Pick<Running, "clients" | "revocations" | "jobs"> & { readonly config: Config },
  teardown: Teardown,
): Promise<RpcListener> {
  const [only, ...others] = opened;
  if (only === undefined || others.length > 0) throw new Error("One service listens alone; several need the gateway");
  const { endpoint, readiness } = only;
  const jobsHealth = () => {
    const isHealthy = jobs.isReachable();
    return { report: { jobs: isHealthy ? "ok" : "unreachable" }, isHealthy };
  };
  const answerHealth = createHealthPages({ readiness, services: clients.status, revocations, others: jobsHealth });
  const server = await listen({
    endpoint,
    port: config.port ?? defaultPorts[only.part.name],
    ...(config.host === undefined ? {} : { host: config.host }),
    extra: (request, response) => answerHealth(request, response) !== undefined,
  });
  teardown.add("requests", () => server.close());
  return server;
}
