import { join } from "node:path";
import { type Config, ConfigurationError } from "@rialto/service/config";
import type { Logger } from "@rialto/telemetry";

/** A database server on this machine. */
export interface OwnPostgres {
  /** The superuser's URL. */
  readonly url: string;
  /** Stops the server, if this process started it. */
  stop(): Promise<void>;
}

/** Whose server it is, and where its log goes. */
interface Options {
  readonly config: Config;
  readonly log: Logger;
  /** Called once a program of Postgres works beside this process. */
  readonly onProgram?: () => void;
}

/**
 * Starts the embedded Postgres of the data folder. Returns undefined where the configuration names a database. Throws
 * `ConfigurationError` where it cannot be started.
 */
export async function startOwnPostgres(o: Options): Promise<OwnPostgres | undefined> {
  if (namesDatabase(o.config)) return undefined;
  return await withPackage(({ startEmbeddedPostgres }) => startEmbeddedPostgres(serverOf(o)));
}

/** The same for a command beside a running system: a server that runs already is used, and left running. */
export async function useOwnPostgres(o: Options): Promise<OwnPostgres | undefined> {
  if (namesDatabase(o.config)) return undefined;
  return await withPackage(async ({ runningEmbeddedPostgres, startEmbeddedPostgres }) => {
    const url = runningEmbeddedPostgres(serverOf(o));
    return url === undefined ? await startEmbeddedPostgres(serverOf(o)) : { url, stop: async () => undefined };
  });
}

function namesDatabase(config: Config): boolean {
  return config.databaseUrl !== undefined || Object.keys(config.databaseUrls).length > 0;
}

function serverOf({ config, log, onProgram = () => undefined }: Options) {
  return { directory: join(config.dataDir, "postgres"), log, onProgram };
}

/**
 * Loads the package, which only an installation for development has, and runs the work with it. Its errors are written
 * for the person who starts the process, so they become a `ConfigurationError`.
 */
async function withPackage<T>(work: (loaded: typeof import("@rialto/embedded-postgres")) => Promise<T>): Promise<T> {
  // biome-ignore lint/style/noRestrictedImports: the one place that may
  const loaded = await import("@rialto/embedded-postgres").catch((cause: unknown) => {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) throw cause;
    throw new ConfigurationError([
      "DATABASE_URL must be set: this installation is without the embedded Postgres, which `npm ci` without --omit=dev brings",
    ]);
  });
  try {
    return await work(loaded);
  } catch (error) {
    if (error instanceof loaded.DataFolderInUse || error instanceof loaded.EmbeddedPostgresFailed)
      throw new ConfigurationError([error.message]);
    throw error;
  }
}
