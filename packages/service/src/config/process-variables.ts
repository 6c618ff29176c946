import {
  flag,
  hostAddress,
  oneOf,
  portNumber,
  postgresUrl,
  privateKey,
  publicKeys,
  shortName,
  text,
  textOf,
  urlOf,
  wholeNumber,
} from "./kinds.ts";
import { telemetryVariables } from "./telemetry.ts";
import { variable } from "./variable.ts";

/**
 * How long a load balancer takes to notice: a Kubernetes probe and its route update. It fits into Docker's 10 s to
 * stop.
 */
const drainSecondsInProduction = 5;

/** The variables of every process. */
export const processVariables = {
  nodeEnv: variable("NODE_ENV", oneOf("production", "development", "test"), { default: "development" }),
  port: variable("PORT", portNumber, { without: "8080; user to notification 8081 to 8085" }),
  host: variable("RIALTO_HOST", hostAddress, {
    defaultIn: ({ production }) => (production ? undefined : "127.0.0.1"),
    without: "`127.0.0.1`; in production all addresses",
  }),
  dataDir: variable("RIALTO_DATA_DIR", text, { default: ".rialto" }),
  databaseUrl: variable("DATABASE_URL", postgresUrl, {
    without: "an embedded Postgres in the data folder; a service alone must have it",
  }),
  redisUrl: variable("REDIS_URL", urlOf("redis:", "rediss:"), { without: "jobs go over Postgres" }),
  installation: variable("RIALTO_INSTALLATION", shortName, {
    without: "derived from `RIALTO_SECRET` (a gateway alone: from `RIALTO_SERVICE_PUBLIC_KEYS`)",
  }),
  secret: variable("RIALTO_SECRET", textOf(32, 1_024), { without: "created in the data folder" }),
  serviceKey: variable("RIALTO_SERVICE_KEY", privateKey, { without: "created in the data folder" }),
  servicePublicKeys: variable("RIALTO_SERVICE_PUBLIC_KEYS", publicKeys, { without: "created in the data folder" }),
  auditDays: variable("RIALTO_AUDIT_DAYS", wholeNumber(90, 36_500), { default: 400 }),
  reflection: variable("RIALTO_REFLECTION", flag, {
    defaultIn: ({ production }) => !production,
    without: "`on`; `off` in production",
  }),
  drainSeconds: variable("RIALTO_DRAIN_SECONDS", wholeNumber(0, 600), {
    defaultIn: ({ production }) => (production ? drainSecondsInProduction : 0),
    without: `\`0\`; \`${drainSecondsInProduction}\` in production`,
  }),
  adminPort: variable("RIALTO_ADMIN_PORT", portNumber, { without: "no metrics are served" }),
  adminHost: variable("RIALTO_ADMIN_HOST", hostAddress, { default: "127.0.0.1" }),
  keepsTraces: variable("RIALTO_KEEP_TRACES", flag, {
    defaultIn: ({ production }) => !production,
    without: "`on`; `off` in production",
  }),
  logLevel: variable("RIALTO_LOG_LEVEL", oneOf("trace", "debug", "info", "warn", "error", "silent"), {
    without: "`info`",
  }),
  ...telemetryVariables,
};

/** Variables of every process whose names contain the name of a schema or of a service. */
export const processVariableFamilies = [
  { name: "RIALTO_<SCHEMA>_DATABASE_URL", without: "derived from `DATABASE_URL`" },
  { name: "RIALTO_<SERVICE>_URL", without: "`http://127.0.0.1:8081` to `8085`" },
] as const;
