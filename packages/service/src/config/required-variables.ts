import { type CallerName, callerNames, type ServiceName, serviceNames } from "../service-name.ts";
import type { Config } from "./config.ts";
import type { Variables } from "./variable.ts";

/** What the process runs. It decides which variables are required. */
export interface ConfigScope {
  readonly runs: readonly CallerName[];
  /** Schemas beside those that are named like a service: "card_network". */
  readonly extraSchemas?: readonly string[];
  /** The variables that the services and the gateway of the process declare. */
  readonly variables?: readonly Variables[];
}

/** Returns one line for each variable of every process that is missing or refused: its name and the reason. */
export function missingFor(config: Config, scope: ConfigScope): readonly string[] {
  return [...missingDatabases(config, scope), ...(config.production ? refusedInProduction(config, scope) : [])];
}

/** A process that runs everything can start the embedded Postgres. Any other needs the URL of one. */
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

/** What development creates by itself and production must be given. */
function refusedInProduction(config: Config, scope: ConfigScope): readonly string[] {
  const { serviceKey, servicePublicKeys } = config;
  const alone = !runsEverything(scope);
  const rules: readonly [variable: string, refused: boolean, why: string][] = [
    [
      "RIALTO_SECRET",
      servicesOf(scope).length > 0 && config.secret === undefined,
      "must be set: 32 characters or more, the same in every process",
    ],
    [
      "RIALTO_SERVICE_KEY",
      alone && serviceKey === undefined,
      "must be set: this process' private key, as a JSON Web Key",
    ],
    [
      "RIALTO_SERVICE_PUBLIC_KEYS",
      alone && servicePublicKeys === undefined,
      "must be set: the public keys of all services, as a JSON Web Key Set",
    ],
    ["RIALTO_SERVICE_PUBLIC_KEYS", isKeyMissing(config), "must have the public half of RIALTO_SERVICE_KEY, by its kid"],
  ];
  return rules
    .filter(([, refused]) => refused)
    .map(([variable, , why]) => `${variable} ${why} (NODE_ENV is production)`);
}

function isKeyMissing({ serviceKey, servicePublicKeys }: Config): boolean {
  if (serviceKey === undefined || servicePublicKeys === undefined) return false;
  return !servicePublicKeys.keys.some(({ kid, x }) => kid === serviceKey.kid && x === serviceKey.x);
}

function servicesOf(scope: ConfigScope): readonly ServiceName[] {
  return serviceNames.filter((name) => scope.runs.includes(name));
}

function runsEverything(scope: ConfigScope): boolean {
  return callerNames.every((name) => scope.runs.includes(name));
}
