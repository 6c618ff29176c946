import { type CallerName, callerNames, type ServiceName, serviceNames } from "../service-name.ts";
import type { Config } from "./config.ts";
import { unsafeInProduction } from "./unsafe-values.ts";

/** What the process is to run: it decides which variables it cannot do without. */
export interface ConfigScope {
  readonly runs: readonly CallerName[];
  /** Schemas beside those that are named as a service is: "card_network". */
  readonly extraSchemas?: readonly string[];
}

/**
 * One line for each variable that is missing: its name and why it must be set. `given` has the names of those that were
 * set.
 */
export function missingFor(config: Config, scope: ConfigScope, given: ReadonlySet<string>): readonly string[] {
  return [
    ...missingDatabases(config, scope),
    ...(config.production ? [...refusedInProduction(config, scope, given), ...unsafeInProduction(config, scope)] : []),
  ];
}

/** A process that runs everything starts a Postgres of its own; any other must be told where one is. */
function missingDatabases(config: Config, scope: ConfigScope): readonly string[] {
  if (config.databaseUrl !== undefined) return [];
  const schemas = [...servicesOf(scope), ...(scope.extraSchemas ?? [])];
  if (schemas.length === 0) return [];
  const given = Object.keys(config.databaseUrls);
  if (runsEverything(scope) && given.length === 0) {
    return config.production ? ["DATABASE_URL must be set: the embedded Postgres is not for production"] : [];
  }
  const missing = schemas.filter((schema) => !given.includes(schema));
  if (config.redisUrl === undefined && !given.includes("jobs")) missing.push("jobs");
  return missing.map((schema) =>
    schema === "jobs"
      ? "REDIS_URL must be set, or RIALTO_JOBS_DATABASE_URL, or DATABASE_URL: jobs need a place to wait in"
      : `RIALTO_${schema.toUpperCase()}_DATABASE_URL must be set, or DATABASE_URL with a role that may create roles and schemas`,
  );
}

/** What development makes up by itself and production must be given. */
function refusedInProduction(config: Config, scope: ConfigScope, given: ReadonlySet<string>): readonly string[] {
  const services = servicesOf(scope);
  const alone = !runsEverything(scope);
  const rules: readonly [variable: string, refused: boolean, why: string][] = [
    [
      "RIALTO_SECRET",
      services.length > 0 && config.secret === undefined,
      "must be set: 32 characters or more, the same in every process",
    ],
    [
      "RIALTO_SIGNING_KEY",
      services.includes("user") && config.signingKey === undefined && config.signingKeyFile === undefined,
      "must be set: the private key of access tokens, as a JSON Web Key; or RIALTO_SIGNING_KEY_FILE, a file of such keys",
    ],
    [
      "RIALTO_SERVICE_KEY",
      alone && config.serviceKey === undefined,
      "must be set: this process' private key, as a JSON Web Key",
    ],
    [
      "RIALTO_SERVICE_PUBLIC_KEYS",
      alone && config.servicePublicKeys === undefined,
      "must be set: the public keys of all services, as a JSON Web Key Set",
    ],
    [
      "SMTP_URL",
      services.includes("notification") && config.smtpUrl === undefined,
      "must be set: the local mail outbox is not for production",
    ],
    [
      "RIALTO_PUBLIC_URL",
      services.includes("notification") && !given.has("RIALTO_PUBLIC_URL"),
      "must be set: links in mails begin with it",
    ],
    [
      "RIALTO_PAYMENT_PROVIDER",
      services.includes("payment") && config.paymentProvider === undefined,
      "must be set: the simulated provider is used only where it is named",
    ],
    ["RIALTO_ARGON2_COST", config.argon2Cost === "test", "must not be test in production"],
  ];
  return rules
    .filter(([, refused]) => refused)
    .map(([variable, , why]) => `${variable} ${why} (NODE_ENV is production)`);
}

function servicesOf(scope: ConfigScope): readonly ServiceName[] {
  return serviceNames.filter((name) => scope.runs.includes(name));
}

function runsEverything(scope: ConfigScope): boolean {
  return callerNames.every((name) => scope.runs.includes(name));
}
