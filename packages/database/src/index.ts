export { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
export {
  DatabaseUnreachable,
  DataFolderInUse,
  DeadlinePassed,
  EmbeddedPostgresFailed,
  KeyInUse,
  KeyReused,
  MigrationsDiffer,
  QueueFull,
  RowRefused,
  TooOldCode,
  TooOldPostgres,
} from "./errors.ts";
