import type { Logger } from "@rialto/telemetry";
import { auditCommand } from "../audit.ts";
import type { Config } from "../config/config.ts";
import { ConfigurationError } from "../config/variable.ts";
import type { ServiceDefinition } from "../define-service.ts";
import { openSecret } from "../identity/identity.ts";
import type { ServiceName } from "../service-name.ts";
import { connect, type DatabaseAccess, prepareDatabases } from "./databases.ts";

/**
 * Creates the roles, schemas and tables of all these services in the Postgres of DATABASE_URL, so that their processes
 * need no role that may create. Idempotent. With
 * `contract` it also drops what only older code uses.
 */
export async function migrateAll(
  definitions: readonly ServiceDefinition[],
  o: { readonly config: Config; readonly log: Logger; readonly contract?: boolean },
): Promise<void> {
  const { config, log, contract = false } = o;
  const lines: string[] = [];
  if (config.databaseUrl === undefined)
    lines.push("DATABASE_URL must be set: a role that may create roles and schemas");
  if (config.production && config.secret === undefined)
    lines.push("RIALTO_SECRET must be set: the passwords of the runtime roles come from it (NODE_ENV is production)");
  if (lines.length > 0) throw new ConfigurationError(lines);
  const access = await prepareDatabases(
    { adminUrl: config.databaseUrl, secret: await openSecret(config), config },
    definitions.flatMap((definition) => definition.schemas),
    { log, contract },
  );
  for (const { name } of definitions) if (config.databaseUrls[name] === undefined) await audit(access, name);
  log.info({ schemas: definitions.flatMap(({ schemas }) => schemas.map(({ name }) => name)) }, "schemas migrated");
}

/** Writes to the audit log of a service that its schema was migrated, with the number of applied migrations. */
async function audit(access: DatabaseAccess, service: ServiceName): Promise<void> {
  const database = await connect(access, service, service);
  try {
    await database.sql.begin(async (tx) => {
      const [ledger] = await tx<{ count: number }[]>`select count(*)::int as count from __drizzle_migrations`;
      const changes = [{ field: "migrations", after: String(ledger?.count ?? 0) }];
      await auditCommand(tx, { command: "migrate", subject: `schema:${service}`, changes });
    });
  } finally {
    await database.close();
  }
}
