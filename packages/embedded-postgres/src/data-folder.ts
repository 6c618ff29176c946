import { randomBytes, randomUUID } from "node:crypto";
import { chownSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { isOpenToAll, type ServerUser } from "./server-user.ts";

/** The folders of one server. */
export interface DataFolder {
  /** Holds the cluster and the server's log. Owned by the user that the server runs as. */
  readonly folder: string;
  /** The cluster: what Postgres calls PGDATA. */
  readonly data: string;
  /** Of the superuser. */
  readonly password: string;
}

/** A folder of root's that every user may enter, for files that another user must read. */
export const openFolder = "/var/lib/rialto";

/**
 * Returns where the database of a Rialto data folder is. The answer is the same at every start.
 *
 * It is in the data folder itself, except for root: the server then runs as another user, who may not be able to enter
 * the folder (a clone under /root), and the database is under /var/lib/rialto instead. The choice and the password are
 * kept in `postgres.json` of the data folder, so they survive a restart, and removing the data folder starts afresh.
 */
export function openDataFolder(directory: string, user: ServerUser | undefined): DataFolder {
  const state = join(directory, "postgres.json");
  const found = read(state);
  const folder = found?.folder ?? choose(directory, user);
  const password = found?.password ?? randomBytes(24).toString("base64url");
  if (found === undefined) {
    const written = `${state}.${randomUUID()}`;
    writeFileSync(written, `${JSON.stringify({ folder, password })}\n`, { mode: 0o600 });
    renameSync(written, state);
  }
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return { folder, data: join(folder, "data"), password };
}

function choose(directory: string, user: ServerUser | undefined): string {
  if (user === undefined || isOpenToAll(directory)) return resolve(directory, "postgres");
  return join(openFolder, randomUUID());
}

function read(path: string): { folder: string; password: string } | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new EmbeddedPostgresFailed(`${path} cannot be read: start Rialto as the user who made it.`, { cause });
  }
  const state: { folder?: unknown; password?: unknown } = JSON.parse(text);
  if (typeof state.folder === "string" && typeof state.password === "string") {
    return { folder: state.folder, password: state.password };
  }
  throw new EmbeddedPostgresFailed(`${path} is damaged: remove the data folder to start afresh.`);
}
