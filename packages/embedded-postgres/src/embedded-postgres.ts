import { existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Logger } from "@rialto/telemetry";
import postgres from "postgres";
import { type Binaries, prepareBinaries } from "./binaries.ts";
import { type DataFolder, openDataFolder, openFolder } from "./data-folder.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { lockFolder } from "./folder-lock.ts";
import { isGone } from "./process-identity.ts";
import { initialize, livePostmaster, startServer, stopServer, superuser } from "./server.ts";
import { type ServerUser, serverUser } from "./server-user.ts";

/** A running Postgres on 127.0.0.1. */
export interface EmbeddedPostgres {
  /** The superuser's URL, with the password. */
  readonly url: string;
  /** Whether it was already running: its Rialto was killed, and this process has taken it over. */
  readonly adopted: boolean;
  stop(): Promise<void>;
}

const adoptionMsMax = 60_000;

/**
 * Starts a real Postgres from npm's binaries on a data folder, for development, tests and demos.
 *
 * The folder stays locked while the server runs: a second start throws `DataFolderInUse`. A server that outlived its
 * Rialto (kill -9 leaves it running) is found by its pid file and taken over, with its port. One that was killed itself
 * recovers its data as it starts. Throws `EmbeddedPostgresFailed` where it cannot start, and always with
 * NODE_ENV=production: the binaries carry old libraries.
 */
export async function startEmbeddedPostgres(o: {
  directory: string;
  log: Logger;
  port?: number;
  settings?: Readonly<Record<string, string>>;
  /** Called once a program of Postgres works beside this process: `initdb`, or the server. Not for one adopted. */
  onProgram?: () => void;
}): Promise<EmbeddedPostgres> {
  // biome-ignore lint/style/noProcessEnv: a guard that no caller can leave out
  if (process.env.NODE_ENV === "production") {
    throw new EmbeddedPostgresFailed("The embedded Postgres is not for production: set DATABASE_URL.");
  }
  const directory = resolve(o.directory);
  mkdirSync(directory, { recursive: true });
  const lock = lockFolder(directory);
  try {
    const user = serverUser(o.log);
    const copiesFolder = user === undefined ? directory : openFolder;
    const binaries = prepareBinaries({ otherUser: user !== undefined, copiesFolder });
    const folder = openDataFolder(directory, user);
    const onProgram = o.onProgram ?? (() => undefined);
    await initialize(binaries, folder, user, onProgram);
    const adopted = await adopt(binaries, folder, user);
    const settings = o.settings ?? {};
    const server = adopted ?? (await startServer({ binaries, folder, user, port: o.port, settings, onProgram }));
    o.log.info({ port: server.port, data: folder.data, adopted: adopted !== undefined }, "embedded Postgres runs");
    let stopping: Promise<void> | undefined;
    return {
      url: urlOf(folder, server.port),
      adopted: adopted !== undefined,
      stop: () => {
        stopping ??= stopServer(binaries, folder, user, server.pid).finally(lock.release);
        return stopping;
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Returns the URL of the server that runs on a data folder at this moment, whichever process started it; undefined when
 * none does. For commands that work beside a running system: they take no lock and stop nothing.
 */
export function runningEmbeddedPostgres(o: { directory: string; log: Logger }): string | undefined {
  const directory = resolve(o.directory);
  if (!existsSync(directory)) return undefined;
  const folder = openDataFolder(directory, serverUser(o.log));
  const found = livePostmaster(folder.data);
  return found?.status === "ready" ? urlOf(folder, found.port) : undefined;
}

/** Takes over the server that runs on the folder. Waits while it is starting or stopping. */
async function adopt(
  binaries: Binaries,
  folder: DataFolder,
  user: ServerUser | undefined,
): Promise<{ pid: number; port: number } | undefined> {
  const pollMs = 50;
  for (let waitedMs = 0; waitedMs < adoptionMsMax; waitedMs += pollMs) {
    const found = livePostmaster(folder.data);
    if (found === undefined) return undefined;
    if (found.status === "ready") {
      if (await answers(urlOf(folder, found.port))) return { pid: found.pid, port: found.port };
      // It claims to be ready and accepts no connection: it is stopped, so that another can be started.
      await stopServer(binaries, folder, user, found.pid);
    } else {
      await isGone(found.pid, pollMs);
    }
  }
  throw new EmbeddedPostgresFailed(`A Postgres on ${folder.data} neither answers nor stops: stop it by hand.`);
}

async function answers(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function urlOf(folder: DataFolder, port: number): string {
  return `postgres://${superuser}:${folder.password}@127.0.0.1:${port}/postgres`;
}
