export { attemptColumns, attemptDue, claimAttempts } from "./attempts.ts";
export {
  type AuditChange,
  type AuditEntry,
  type AuditFilter,
  type AuditRecord,
  auditColumns,
  listAudit,
  recordAudit,
  sweepAudit,
} from "./audit/audit-entry.ts";
export { auditTable } from "./audit/audit-table.ts";
export { type CombinedCommit, createCombinedCommit } from "./combined-commit/combined-commit.ts";
export type { Decision, Outcome } from "./combined-commit/decision.ts";
export { type Combiner, createCombiner } from "./combiner.ts";
export { type Database, openDatabase, type Sql, type Transaction } from "./connection.ts";
export { type EmbeddedPostgres, runningEmbeddedPostgres, startEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
export {
  DatabaseUnreachable,
  DataFolderInUse,
  DeadlinePassed,
  EmbeddedPostgresFailed,
  ForeignSchema,
  KeyInUse,
  KeyReused,
  MigrationsDiffer,
  ProvisioningBlocked,
  QueueFull,
  RoleOfAnother,
  RowRefused,
  TooOldCode,
  TooOldPostgres,
} from "./errors.ts";
export type { ExtensionIndex } from "./extension-indexes.ts";
export { type FailureMeaning, meaningOf } from "./failures.ts";
export { forgetIdempotencyKeys, type IdempotencyKey, once, replay } from "./idempotency.ts";
export type { JsonValue } from "./json.ts";
export { withLease } from "./lease.ts";
export { installationOf, type SchemaSpec } from "./migrations.ts";
export { codeOf, isLockedOut, isOutage, isPassing } from "./outage.ts";
export { provision } from "./provision.ts";
export { isOfOlderVersion, ownerUrl, runtimeUrl } from "./roles.ts";
export { poolerRefusal, readServerAddress, whyUnreachable } from "./server-address.ts";
export type { TableRights } from "./table-rights.ts";
export { eventColumns, idempotencyTable, leaseTable } from "./tables.ts";
