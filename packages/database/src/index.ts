export { attemptColumns, attemptDue, claimAttempts } from "./attempts.ts";
export {
  type Attention,
  attentionCheck,
  attentionColumns,
  attentionFromRow,
  attentionRowColumns,
  attentionToRow,
  needsAttention,
} from "./attention.ts";
export { addAttentionGauge } from "./attention-gauge.ts";
export {
  type AuditChange,
  type AuditEntry,
  type AuditFilter,
  type AuditRecord,
  auditColumns,
  listAudit,
  recordAudit,
  sweepAudit,
} from "./audit/entry.ts";
export { auditTable } from "./audit/table.ts";
export { type Batcher, createBatcher } from "./batching/batcher.ts";
export { deepFrozen } from "./batching/deep-frozen.ts";
export { createLoader, createRowLoader, type Loader } from "./batching/loader.ts";
export { createSharedLoader } from "./batching/shared-loader.ts";
export { createWriter, type Writer } from "./batching/writer.ts";
export {
  type Database,
  openDatabase,
  reconnectDelayMsMax,
  type Sql,
  type Transaction,
} from "./connection/connection.ts";
export {
  DatabaseUnreachable,
  DeadlinePassed,
  ForeignSchema,
  KeyInUse,
  KeyReused,
  MigrationBlocked,
  MigrationsDiffer,
  ProvisioningBlocked,
  QueueFull,
  ReadOnlyServer,
  RoleOfAnother,
  RowRefused,
  TooOldCode,
  TooOldPostgres,
} from "./connection/errors.ts";
export { type FailureMeaning, meaningOf } from "./connection/failures.ts";
export { codeOf, isLockedOut, isOutage, isPassing } from "./connection/outage.ts";
export type { PoolUse } from "./connection/pool-use.ts";
export { poolerRefusal, readServerAddress, whyUnreachable } from "./connection/server-address.ts";
export type { Decision, Outcome } from "./group-commit/decision.ts";
export {
  type Change,
  type Committed,
  createEventStore,
  type EventStore,
  type InboxEntry,
  type LoggedEvent,
  type SubjectMapping,
} from "./group-commit/event-store.ts";
export { createGroupCommit, type GroupCommit } from "./group-commit/group-commit.ts";
export { createStoredAnswers, type StoredAnswers } from "./group-commit/stored-answers.ts";
export { forgetIdempotencyKeys, type IdempotencyKey, once, replay } from "./idempotency.ts";
export type { JsonValue } from "./json.ts";
export { withLease } from "./lease.ts";
export { aboveAll, newestFirst, newestFirstBy } from "./newest-first.ts";
export type { ExtensionIndex } from "./provisioning/extension-indexes.ts";
export { installationOf, requireSchema, type SchemaSpec } from "./provisioning/migrations.ts";
export { provision } from "./provisioning/provision.ts";
export { isOfOlderVersion, ownerUrl, runtimeUrl, type SchemaRoles, urlAs } from "./provisioning/roles.ts";
export type { TableRights } from "./provisioning/table-rights.ts";
export { eventColumns, idempotencyTable, leaseTable, oneOf } from "./tables.ts";
