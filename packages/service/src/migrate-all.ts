import type { Logger } from "@rialto/telemetry";
import type { Config } from "./config.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { prepareDatabases } from "./databases.ts";
import type { ServiceDefinition } from "./define-service.ts";
import { openSecret } from "./identity.ts";

/**
 * Makes the roles, schemas and tables of all these services in the Postgres of DATABASE_URL, so that their processes need no role
 * that may create. Does nothing to what is there already.
 */
export async function migrateAll(
  definitions: readonly ServiceDefinition[],
  o: { readonly config: Config; readonly log: Logger },
): Promise<void> {
  const { config, log } = o;
  const lines: string[] = [];
  if (config.databaseUrl === undefined)
    lines.push("DATABASE_URL must be set: a role that may create roles and schemas");
  if (config.production && config.secret === undefined)
    lines.push("RIALTO_SECRET must be set: the passwords of the runtime roles come from it (NODE_ENV is production)");
  if (lines.length > 0) throw new ConfigurationError(lines);
  const access = { adminUrl: config.databaseUrl, secret: await openSecret(config), config };
  await prepareDatabases(
    access,
    definitions.flatMap((definition) => definition.schemas),
    log,
  );
  log.info({ schemas: definitions.flatMap(({ schemas }) => schemas.map(({ name }) => name)) }, "the schemas are ready");
}
