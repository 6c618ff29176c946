/** A live Rialto process holds the data folder. */
export class DataFolderInUse extends Error {
  override readonly name = "DataFolderInUse";
  constructor(folder: string, pid: number) {
    super(
      `The data folder ${folder} is in use by a running Rialto (process ${pid}). Stop it first, or set RIALTO_DATA_DIR.`,
    );
  }
}

/** The embedded Postgres could not be started. The message says why and what to do. */
export class EmbeddedPostgresFailed extends Error {
  override readonly name = "EmbeddedPostgresFailed";
}
