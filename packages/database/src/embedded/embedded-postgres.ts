import { existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Logger } from "@rialto/telemetry";
import postgres from "postgres";
import { EmbeddedPostgresFailed } from "../connection/errors.ts";
import { type Binaries, prepareBinaries } from "./binaries.ts";
import { lockFolder } from "./folder-lock.ts";
import { openFolder, type Place, placeOf } from "./place.ts";
import { isGone, livePostmaster } from "./postmaster.ts";
import { initialise, startServer, stopServer, superuser } from "./server.ts";
import { type ServerUser, serverUser } from "./server-user.ts";

/** A Postgres of our own, on 127.0.0.1. */
export interface EmbeddedPostgres {
  /** Of the superuser, with the password. */
  readonly url: string;
  /** Whether it lived on after a predecessor of ours was killed, and was taken over. */
  readonly adopted: boolean;
  stop(): Promise<void>;
}

const adoptionMsMax = 60_000;

/**
 * Starts a real Postgres from npm's binaries on a data folder, for development, tests and demos.
 *
 * The folder is locked for as long as it runs: a second start by a live process throws `DataFolderInUse`. A server that
 * lived on after its Rialto was killed (kill -9 leaves it running) is found by its pid file and taken over, with its port;
 * one that was killed itself recovers its data as it starts. With NODE_ENV=production it refuses: the binaries carry old
 * libraries.
 */
export async function startEmbeddedPostgres(o: {
  directory: string;
  log: Logger;
  port?: number;
  settings?: Readonly<Record<string, string>>;
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
    const place = placeOf(directory, user);
    await initialise(binaries, place, user);
    const adopted = await adopt(binaries, place, user);
    const settings = o.settings ?? {};
    const server = adopted ?? (await startServer({ binaries, place, user, port: o.port, settings }));
    o.log.info({ port: server.port, data: place.data, adopted: adopted !== undefined }, "embedded Postgres runs");
    let stopping: Promise<void> | undefined;
    return {
      url: urlOf(place, server.port),
      adopted: adopted !== undefined,
      stop: () => {
        stopping ??= stopServer(binaries, place, user, server.pid).finally(lock.release);
        return stopping;
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The URL of the server that runs on a data folder at this moment, whoever runs it; undefined where none does. For commands that work beside
 * a running system: they take no lock and stop nothing.
 */
export function runningEmbeddedPostgres(o: { directory: string; log: Logger }): string | undefined {
  const directory = resolve(o.directory);
  if (!existsSync(directory)) return undefined;
  const place = placeOf(directory, serverUser(o.log));
  const found = livePostmaster(place.data);
  return found?.status === "ready" ? urlOf(place, found.port) : undefined;
}

/** Takes over the server that lives on the folder, once it has started or stopped as it was about to. */
async function adopt(
  binaries: Binaries,
  place: Place,
  user: ServerUser | undefined,
): Promise<{ pid: number; port: number } | undefined> {
  const pollMs = 50;
  for (let waitedMs = 0; waitedMs < adoptionMsMax; waitedMs += pollMs) {
    const found = livePostmaster(place.data);
    if (found === undefined) return undefined;
    if (found.status === "ready") {
      if (await answers(urlOf(place, found.port))) return { pid: found.pid, port: found.port };
      // It says that it is ready and takes nobody: stopped, it makes room for one that does.
      await stopServer(binaries, place, user, found.pid);
    } else {
      await isGone(found.pid, pollMs);
    }
  }
  throw new EmbeddedPostgresFailed(`A Postgres on ${place.data} neither answers nor ends: stop it by hand.`);
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

function urlOf(place: Place, port: number): string {
  return `postgres://${superuser}:${place.password}@127.0.0.1:${port}/postgres`;
}
