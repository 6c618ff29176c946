import { createHmac } from "node:crypto";
import { dirname, resolve } from "node:path";
import type { TelemetryConfig } from "@rialto/telemetry";
import type { JSONWebKeySet, JWK } from "jose";
import { type ServiceName, serviceNames } from "../service-name.ts";
import { type Kind, postgresUrl, serviceUrls } from "./kinds.ts";
import { processVariables } from "./process-variables.ts";
import { type ConfigScope, missingFor } from "./required-variables.ts";
import { telemetryConfig } from "./telemetry.ts";
import {
  ConfigurationError,
  type Environment,
  readVariables,
  refusedInProduction,
  type Values,
  type Variables,
  variable,
} from "./variable.ts";

/**
 * The configuration of every process. What a service adds to it, the service declares itself and gets in `app.config`.
 */
export interface Config {
  readonly production: boolean;
  /** npm started this process, by one of its scripts. */
  readonly startedByNpm: boolean;
  /** Tests started this process: its own calls check that their messages would arrive over the network as they are. */
  readonly checksMessages: boolean;
  /** Tests started this process: a change of a row that callers share throws. */
  readonly freezesShared: boolean;
  /** The port to listen on; undefined for the default of what the process runs. */
  readonly port: number | undefined;
  /** The address to listen on; undefined for all addresses of the machine. */
  readonly host: string | undefined;
  /** The folder of the embedded Postgres, the generated keys and the mail files of a development system. Absolute. */
  readonly dataDir: string;
  /** The URL of a role that may create roles and schemas. */
  readonly databaseUrl: string | undefined;
  /** URLs of runtime roles by schema ("order", "card_network", "jobs"). With one, the process only connects. */
  readonly databaseUrls: Readonly<Partial<Record<string, string>>>;
  readonly redisUrl: string | undefined;
  /** The prefix of every key in Redis. It names the installation, so that several can share one Redis. */
  readonly redisPrefix: string;
  /** Serve gRPC reflection. */
  readonly reflection: boolean;
  readonly secret: string | undefined;
  readonly serviceKey: JWK | undefined;
  readonly servicePublicKeys: JSONWebKeySet | undefined;
  /** The URLs of services in other processes: of replicas, or of names whose addresses are replicas. */
  readonly serviceUrls: Readonly<Partial<Record<ServiceName, readonly string[]>>>;
  /** How many days the entries of the audit log are kept. */
  readonly auditDays: number;
  /** How long a stopping process answers requests while its readiness reports that it stops. */
  readonly drainSeconds: number;
  /** Whether a gateway keeps its last traces, which it does in development alone. */
  readonly keepsTraces: boolean;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent" | undefined;
  /** Where traces, metrics and logs are exported to; nowhere unless the OTEL_ variables name an endpoint. */
  readonly telemetry: TelemetryConfig;
  /** Where metrics are served in Prometheus' text; undefined where they are not. */
  readonly admin: { readonly port: number; readonly host: string } | undefined;
  /** Returns the values of the variables that a service declares. Throws `ConfigurationError` if one is not valid. */
  read<V extends Variables>(variables: V): Values<V>;
}

/** The schemas that can have a database URL of their own. */
const schemaNames = [...serviceNames, "card_network", "jobs"] as const;

/**
 * Reads the environment. All faults are thrown together as one `ConfigurationError`. With a scope, the variables of
 * what the process runs are checked too, and those that it lacks. An empty variable counts as not set.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, scope?: ConfigScope): Config {
  const environment: Environment = new Map(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || value === "" ? [] : [[name, value] as const],
    ),
  );
  const production = env.NODE_ENV === "production";
  const first = readVariables(processVariables, environment, { production, port: undefined });
  const { port, host, databaseUrl, redisUrl, reflection, secret, serviceKey, servicePublicKeys } = first.values;
  const { adminPort, adminHost } = first.values;
  const { auditDays, drainSeconds, logLevel, keepsTraces } = first.values;
  const facts = { production, port };
  const lines = [...first.faults];
  const readEach = <N extends string, T>(names: readonly N[], suffix: string, kind: Kind<T>) => {
    const declared = names.map((name) => [name, variable(variableOf(name, suffix), kind, { without: "" })] as const);
    const { values, faults } = readVariables(Object.fromEntries(declared), environment, facts);
    lines.push(...faults);
    // Each value is of the kind, and there is one at most for each name.
    return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
      Record<N, T>
    >;
  };
  const dataDir = resolve(workingFolder(env), first.values.dataDir);
  const config: Config = {
    ...{ production, port, host, dataDir, databaseUrl, redisUrl, reflection, secret, serviceKey, servicePublicKeys },
    ...{ auditDays, drainSeconds, logLevel, keepsTraces },
    telemetry: telemetryConfig(first.values),
    admin: adminPort === undefined ? undefined : { port: adminPort, host: adminHost },
    startedByNpm: environment.has("npm_lifecycle_event"),
    checksMessages: environment.get("RIALTO_TEST_CHECK_MESSAGES") === "on",
    freezesShared: environment.get("RIALTO_TEST_FREEZE_SHARED") === "on",
    databaseUrls: readEach(schemaNames, "DATABASE_URL", postgresUrl),
    redisPrefix: `rialto-${first.values.installation ?? installationName(secret, servicePublicKeys, dataDir)}`,
    serviceUrls: readEach(serviceNames, "URL", serviceUrls),
    read(variables) {
      const { values, faults } = readVariables(variables, environment, facts);
      if (faults.length > 0) throw new ConfigurationError(faults);
      return values;
    },
  };
  const missing = scope === undefined ? [] : [...missingFor(config, scope)];
  for (const variables of scope?.variables ?? []) {
    const { values, faults } = readVariables(variables, environment, facts);
    lines.push(...faults);
    if (production) missing.push(...refusedInProduction(variables, values, environment));
  }
  const faulty = new Set(lines.map((line) => line.split(" ", 1)[0]));
  lines.push(...missing.filter((line) => !faulty.has(line.split(" ", 1)[0])));
  // Two services may declare the same variable.
  if (lines.length > 0) throw new ConfigurationError([...new Set(lines)]);
  return config;
}

/** Reads the environment of this process. Nothing else reads `process.env`. */
export function readEnvironment(scope: ConfigScope): Config {
  return readConfig(process.env, scope);
}

function variableOf(name: string, suffix: string): string {
  return `RIALTO_${name.toUpperCase()}_${suffix}`;
}

/**
 * Derives the installation's name from what all its processes share and no other installation has. A gateway alone
 * needs no secret, and only counts requests in Redis: it may have a prefix of its own.
 */
function installationName(secret: string | undefined, publicKeys: JSONWebKeySet | undefined, dataDir: string): string {
  const keys = publicKeys?.keys.map(({ x }) => x).sort();
  const shared = secret ?? keys?.join(" ") ?? dataDir;
  return createHmac("sha256", shared).update("installation name").digest("hex").slice(0, 12);
}

/**
 * Returns the folder of the person's shell. npm runs a workspace's script inside the workspace, and INIT_CWD is where
 * npm was called.
 */
function workingFolder({ INIT_CWD, npm_package_json }: Readonly<Record<string, string | undefined>>): string {
  const isMovedByNpm = (npm_package_json ?? "") !== "" && dirname(npm_package_json ?? "") === process.cwd();
  return isMovedByNpm ? INIT_CWD || "." : ".";
}
