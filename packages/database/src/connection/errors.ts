/** The server is older than Rialto's oldest supported Postgres. */
export class TooOldPostgres extends Error {
  override readonly name = "TooOldPostgres";
  constructor(found: string, oldest: number) {
    super(`Postgres ${found} is too old: Rialto needs Postgres ${oldest} or newer.`);
  }
}

/** No session could be opened: no server listens there, or the name or the credentials are wrong. */
export class DatabaseUnreachable extends Error {
  override readonly name = "DatabaseUnreachable";
}

/**
 * A read was made on a server that takes no writes, where what it reads may be behind. It is an outage, by the SQLSTATE
 * that a write would get there.
 */
export class ReadOnlyServer extends Error {
  override readonly name = "ReadOnlyServer";
  readonly code = "25006";
  constructor() {
    super("The server is read-only, so what it holds may be behind.");
  }
}

/** The schema was migrated by newer code that this code may not run beside. */
export class TooOldCode extends Error {
  override readonly name = "TooOldCode";
}

/** The migrations folder and the schema's applied migrations differ. */
export class MigrationsDiffer extends Error {
  override readonly name = "MigrationsDiffer";
}

/** A role that this start would have to change belongs to another installation, or its owner is unknown. */
export class RoleOfAnother extends Error {
  override readonly name = "RoleOfAnother";
  constructor(role: string, databases: readonly string[]) {
    const why =
      databases.length === 0
        ? "has no rights in this database that would prove it to be this installation's"
        : `is used in ${databases.map((database) => `"${database}"`).join(", ")} too`;
    const wayOut = "Set RIALTO_SECRET to the secret that the role was made with, or drop the role if nothing uses it.";
    super(`The role "${role}" has another password and ${why}; it is not changed. ${wayOut}`);
  }
}

/** A schema with one of our names belongs to a role that is not ours. */
export class ForeignSchema extends Error {
  override readonly name = "ForeignSchema";
  constructor(schema: string, owner: string) {
    super(
      `The schema "${schema}" belongs to the role "${owner}", which Rialto has not made: use a database of Rialto's own.`,
    );
  }
}

/** A session that this role may not terminate blocks provisioning. */
export class ProvisioningBlocked extends Error {
  override readonly name = "ProvisioningBlocked";
  constructor(role: string, pid: number) {
    super(`Session ${pid} of the role "${role}" holds the provisioning lock, and may not provision: end that session.`);
  }
}

/** Something else uses the tables that a migration changes. */
export class MigrationBlocked extends Error {
  override readonly name = "MigrationBlocked";
  constructor(schema: string, migration: string) {
    super(`Schema ${schema}: migration ${migration} waited for what uses its tables: end that, or start again later.`);
  }
}

/** Rights were declared for a table that the schema does not have. */
export class UnknownTable extends Error {
  override readonly name = "UnknownTable";
  constructor(schema: string, table: string) {
    super(`Rights are declared for the table ${table}, which the schema ${schema} does not have.`);
  }
}

/** The idempotency key was used before with another request. */
export class KeyReused extends Error {
  override readonly name = "KeyReused";
  constructor() {
    super("This idempotency key was used with another request.");
  }
}

/** The first request with this idempotency key is still running: try again. */
export class KeyInUse extends Error {
  override readonly name = "KeyInUse";
  constructor() {
    super("The first request with this idempotency key is still at work.");
  }
}

/** The queue is full: nothing was started. */
export class QueueFull extends Error {
  override readonly name = "QueueFull";
  constructor(itemsMax: number) {
    super(`The queue is full: ${itemsMax} wait already.`);
  }
}

/** The caller's deadline passed before the work was started: nothing was done. */
export class DeadlinePassed extends Error {
  override readonly name = "DeadlinePassed";
  constructor() {
    super("The deadline passed before the work was begun.");
  }
}

/** Postgres refuses this one row (`isRefusal`): the caller's fault, so a retry would fail too. */
export class RowRefused extends Error {
  override readonly name = "RowRefused";
  readonly sqlState: string;
  readonly table: string | undefined;
  readonly constraint: string | undefined;
  constructor(o: { sqlState: string; table?: string | undefined; constraint?: string | undefined; cause: unknown }) {
    super(`Postgres refuses the row (SQLSTATE ${o.sqlState}).`, { cause: o.cause });
    this.sqlState = o.sqlState;
    this.table = o.table;
    this.constraint = o.constraint;
  }
}
