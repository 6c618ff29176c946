import { createHmac } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { customCleanEnv, type OptionalValidatorSpec, str } from "envalid";
import type { JSONWebKeySet, JWK } from "jose";
import { defaultPorts, type ServiceName, serviceNames } from "../service-name.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { type ConfigScope, missingFor } from "./required-variables.ts";
import {
  addressBlocks,
  baseUrl,
  emailAddress,
  flag,
  hostAddress,
  httpUrls,
  mailbox,
  oneOf,
  origins,
  portNumber,
  privateKey,
  publicKeys,
  seconds,
  shortName,
  textOf,
  urlOf,
  wholeNumber,
} from "./variables.ts";

/**
 * Everything that the environment says, read once. What is undefined was not given; `keys.ts` and `databases.ts` fill
 * the gaps in development.
 */
export interface Config {
  readonly production: boolean;
  /** npm started this process, by one of its scripts. */
  readonly startedByNpm: boolean;
  /** Where this process listens; undefined for the default of what it runs. */
  readonly port: number | undefined;
  /** The address that it listens on; undefined for all of the machine's. */
  readonly host: string | undefined;
  /** Where the embedded Postgres, the keys and the mail outbox of a developer's system live. Absolute. */
  readonly dataDir: string;
  /** A role that may create roles and schemas. */
  readonly databaseUrl: string | undefined;
  /**
   * A runtime role of one schema, by the schema's name ("order", "card_network", "jobs"): with it, the process only
   * connects.
   */
  readonly databaseUrls: Readonly<Partial<Record<string, string>>>;
  readonly redisUrl: string | undefined;
  /** What every key in Redis begins with: it names the installation, so that two of them can share one Redis. */
  readonly redisPrefix: string;
  readonly smtpUrl: string | undefined;
  /** Files of the gateway's certificate chain and private key, in PEM: with them it speaks TLS. */
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  /** Tell gRPC clients what there is to call. */
  readonly reflection: boolean;
  readonly secret: string | undefined;
  readonly signingKey: JWK | undefined;
  /** Public keys that are published beside the one that signs: the next one, and the one before. */
  readonly signingPublicKeys: JSONWebKeySet | undefined;
  /** A mounted file of signing keys, read again as it changes. Absolute. */
  readonly signingKeyFile: string | undefined;
  readonly serviceKey: JWK | undefined;
  readonly servicePublicKeys: JSONWebKeySet | undefined;
  readonly adminEmail: string;
  /**
   * Undefined means a made one, told at the start that makes it. Production tells none: its first admin needs a given
   * one.
   */
  readonly adminPassword: string | undefined;
  /** Where the services of other processes are, one URL a replica. */
  readonly serviceUrls: Readonly<Partial<Record<ServiceName, readonly string[]>>>;
  /** How many days the entries of the audit log are kept. */
  readonly auditDays: number;
  /** Requests that one caller may make in a window; 0 for no limits at all. */
  readonly rateLimit: number;
  readonly rateLimitWindowSeconds: number;
  /** How many of one product an account may have ordered and not shipped yet; 0 for any number. */
  readonly unshippedQuantityMax: number;
  /**
   * Requests that the gateway has at work before it sheds load, and connections that one address may have; undefined
   * for its own figures.
   */
  readonly inFlightMax: number | undefined;
  readonly clientConnectionsMax: number | undefined;
  /** How long a process that is told to stop answers on while it says that it is not ready. */
  readonly drainSeconds: number;
  /** Origins whose pages may call the gateway. */
  readonly corsOrigins: readonly string[];
  /** Addresses and CIDR blocks of the proxies before the gateway. */
  readonly trustedProxies: readonly string[];
  /**
   * Addresses and CIDR blocks of callers that act for many people, a shop's own server: they are counted by account
   * only.
   */
  readonly backendAddresses: readonly string[];
  /** The one header that they write the client's address into. */
  readonly forwardedHeader: "forwarded" | "x-forwarded-for";
  readonly logLevel: LogLevel | undefined;
  readonly mailFrom: string;
  /** Take orders only from accounts whose e-mail address is confirmed. */
  readonly requireConfirmedEmail: boolean;
  /** Where people reach the shop: what the links in mails begin with. Without a slash at its end. */
  readonly publicUrl: string;
  /** The folder of .eml files that mail goes to without SMTP_URL. */
  readonly mailOutboxDir: string;
  /** Undefined means the simulated one, which production takes only when told to. */
  readonly paymentProvider: "simulated" | undefined;
  /** Fill a new catalog with products to try. */
  readonly demo: boolean;
  /** "test" makes password hashes cheap, and is refused in production. */
  readonly argon2Cost: "default" | "test";
}

type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

/** The schemas that can be reached by a URL of their own. */
const schemaNames = [...serviceNames, "card_network", "jobs"] as const;

/**
 * Reads the environment. All that is wrong with it is thrown together, as one `ConfigurationError`. With a scope it
 * also says what is missing for what this process runs. An empty variable is one that was not set.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, scope?: ConfigScope): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const lines: string[] = [];
  const reporter = ({ errors }: { readonly errors: Readonly<Record<string, Error | undefined>> }) => {
    for (const [name, error] of Object.entries(errors)) lines.push(`${name} ${error?.message ?? "is not valid"}`);
  };
  // envalid's own accessors throw at the first variable that is wrong, before the others were looked at: the plain
  // values do not.
  const read = <S extends object>(specs: S) => customCleanEnv(given, specs, (values) => values, { reporter });
  const e = read(variables);
  const readEach = <N extends string, T>(names: readonly N[], suffix: string, rule: OptionalValidatorSpec<T>) => {
    const variableOf = (name: N) => `RIALTO_${name.toUpperCase()}_${suffix}`;
    const values = new Map<string, unknown>(
      Object.entries(read(Object.fromEntries(names.map((name) => [variableOf(name), rule])))),
    );
    const found: Partial<Record<N, T>> = {};
    for (const name of names) {
      const value = values.get(variableOf(name));
      // The rule made it, and the rule is of T.
      if (value !== undefined) found[name] = value as T;
    }
    return found;
  };
  const dataDir = resolve(standingIn(given), e.RIALTO_DATA_DIR ?? ".rialto");
  const config: Config = {
    production: e.NODE_ENV === "production",
    startedByNpm: given.npm_lifecycle_event !== undefined,
    port: e.PORT,
    host: e.RIALTO_HOST ?? (e.NODE_ENV === "production" ? undefined : "127.0.0.1"),
    dataDir,
    databaseUrl: e.DATABASE_URL,
    databaseUrls: readEach(schemaNames, "DATABASE_URL", postgresUrl(optional)),
    redisUrl: e.REDIS_URL,
    redisPrefix: `rialto-${e.RIALTO_INSTALLATION ?? madeName(e.RIALTO_SECRET, e.RIALTO_SERVICE_PUBLIC_KEYS, dataDir)}`,
    smtpUrl: e.SMTP_URL,
    tlsCertFile: e.RIALTO_TLS_CERT,
    tlsKeyFile: e.RIALTO_TLS_KEY,
    reflection: e.RIALTO_REFLECTION ?? e.NODE_ENV !== "production",
    secret: e.RIALTO_SECRET,
    signingKey: e.RIALTO_SIGNING_KEY,
    signingPublicKeys: e.RIALTO_SIGNING_PUBLIC_KEYS,
    signingKeyFile: e.RIALTO_SIGNING_KEY_FILE === undefined ? undefined : resolve(e.RIALTO_SIGNING_KEY_FILE),
    serviceKey: e.RIALTO_SERVICE_KEY,
    servicePublicKeys: e.RIALTO_SERVICE_PUBLIC_KEYS,
    adminEmail: e.RIALTO_ADMIN_EMAIL ?? "admin@rialto.example",
    adminPassword: e.RIALTO_ADMIN_PASSWORD,
    serviceUrls: readEach(serviceNames, "URL", httpUrls(optional)),
    auditDays: e.RIALTO_AUDIT_DAYS ?? 400,
    rateLimit: e.RIALTO_RATE_LIMIT ?? 100,
    rateLimitWindowSeconds: e.RIALTO_RATE_LIMIT_WINDOW ?? 900,
    unshippedQuantityMax: e.RIALTO_UNSHIPPED_QUANTITY_MAX ?? 1_000,
    inFlightMax: e.RIALTO_IN_FLIGHT_MAX,
    clientConnectionsMax: e.RIALTO_CLIENT_CONNECTIONS_MAX,
    drainSeconds: e.RIALTO_DRAIN_SECONDS ?? (e.NODE_ENV === "production" ? drainSecondsDefault : 0),
    corsOrigins: e.RIALTO_CORS_ORIGINS ?? [],
    trustedProxies: e.RIALTO_TRUSTED_PROXIES ?? [],
    backendAddresses: e.RIALTO_BACKEND_ADDRESSES ?? [],
    forwardedHeader: e.RIALTO_FORWARDED_HEADER ?? "x-forwarded-for",
    logLevel: e.RIALTO_LOG_LEVEL,
    requireConfirmedEmail: e.RIALTO_REQUIRE_CONFIRMED_EMAIL ?? false,
    mailFrom: e.RIALTO_MAIL_FROM ?? "Rialto <shop@rialto.example>",
    publicUrl: (e.RIALTO_PUBLIC_URL ?? `http://localhost:${e.PORT ?? defaultPorts.gateway}`).replace(/\/+$/, ""),
    mailOutboxDir: join(dataDir, "mail"),
    paymentProvider: e.RIALTO_PAYMENT_PROVIDER,
    demo: e.RIALTO_DEMO ?? e.NODE_ENV !== "production",
    argon2Cost: e.RIALTO_ARGON2_COST ?? "default",
  };
  const faulty = new Set(lines.map((line) => line.split(" ", 1)[0]));
  const missing = scope === undefined ? [] : missingFor(config, scope, new Set(Object.keys(given)));
  lines.push(...missing.filter((line) => !faulty.has(line.split(" ", 1)[0])));
  if (lines.length > 0) throw new ConfigurationError(lines);
  return config;
}

/** Reads the environment of this process. Nothing else reads `process.env`. */
export function readEnvironment(scope: ConfigScope): Config {
  return readConfig(process.env, scope);
}

/**
 * The installation's name where none was given: from what all its processes share, and no other installation. A gateway
 * of its own needs no secret, and counts calls only: it may have a prefix of its own.
 */
function madeName(secret: string | undefined, publicKeys: JSONWebKeySet | undefined, dataDir: string): string {
  const keys = publicKeys?.keys.map(({ x }) => x).sort();
  const shared = secret ?? keys?.join(" ") ?? dataDir;
  return createHmac("sha256", shared).update("installation name").digest("hex").slice(0, 12);
}

/** Where the person stands. npm runs a workspace's script inside the workspace, and says where it was called from. */
function standingIn({ INIT_CWD, npm_package_json }: Readonly<Record<string, string | undefined>>): string {
  const movedByNpm = npm_package_json !== undefined && dirname(npm_package_json) === process.cwd();
  return movedByNpm ? (INIT_CWD ?? ".") : ".";
}

/**
 * As long as a load balancer takes to hear of it: Kubernetes' probe and its routes, with both in the time that Docker
 * gives a process to stop.
 */
const drainSecondsDefault = 5;

const postgresUrl = urlOf("postgres:", "postgresql:");
const optional = { default: undefined };

const variables = {
  NODE_ENV: oneOf("production", "development", "test")(optional),
  PORT: portNumber(optional),
  RIALTO_HOST: hostAddress(optional),
  DATABASE_URL: postgresUrl(optional),
  REDIS_URL: urlOf("redis:", "rediss:")(optional),
  RIALTO_INSTALLATION: shortName(optional),
  SMTP_URL: urlOf("smtp:", "smtps:")(optional),
  RIALTO_DATA_DIR: str(optional),
  RIALTO_TLS_CERT: str(optional),
  RIALTO_TLS_KEY: str(optional),
  RIALTO_REFLECTION: flag(optional),
  RIALTO_SECRET: textOf(32, 1_024)(optional),
  RIALTO_SIGNING_KEY: privateKey(optional),
  RIALTO_SIGNING_PUBLIC_KEYS: publicKeys(optional),
  RIALTO_SIGNING_KEY_FILE: str(optional),
  RIALTO_PUBLIC_URL: baseUrl(optional),
  RIALTO_SERVICE_KEY: privateKey(optional),
  RIALTO_SERVICE_PUBLIC_KEYS: publicKeys(optional),
  RIALTO_ADMIN_EMAIL: emailAddress(optional),
  RIALTO_ADMIN_PASSWORD: textOf(8, 128)(optional),
  RIALTO_AUDIT_DAYS: wholeNumber(90, 36_500)(optional),
  RIALTO_RATE_LIMIT: wholeNumber(0, 1_000_000_000)(optional),
  RIALTO_RATE_LIMIT_WINDOW: seconds(optional),
  RIALTO_UNSHIPPED_QUANTITY_MAX: wholeNumber(0, 1_000_000_000)(optional),
  RIALTO_IN_FLIGHT_MAX: wholeNumber(1, 1_000_000)(optional),
  RIALTO_CLIENT_CONNECTIONS_MAX: wholeNumber(1, 1_000_000)(optional),
  RIALTO_DRAIN_SECONDS: wholeNumber(0, 600)(optional),
  RIALTO_CORS_ORIGINS: origins(optional),
  RIALTO_TRUSTED_PROXIES: addressBlocks(optional),
  RIALTO_BACKEND_ADDRESSES: addressBlocks(optional),
  RIALTO_FORWARDED_HEADER: oneOf("forwarded", "x-forwarded-for")(optional),
  RIALTO_LOG_LEVEL: oneOf("trace", "debug", "info", "warn", "error", "silent")(optional),
  RIALTO_MAIL_FROM: mailbox(optional),
  RIALTO_REQUIRE_CONFIRMED_EMAIL: flag(optional),
  RIALTO_PAYMENT_PROVIDER: oneOf("simulated")(optional),
  RIALTO_DEMO: flag(optional),
  RIALTO_ARGON2_COST: oneOf("default", "test")(optional),
};
