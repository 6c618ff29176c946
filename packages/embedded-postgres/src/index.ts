export { type EmbeddedPostgres, runningEmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
export { DataFolderInUse, EmbeddedPostgresFailed } from "./errors.ts";
