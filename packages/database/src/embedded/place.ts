import { randomBytes, randomUUID } from "node:crypto";
import { chownSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { EmbeddedPostgresFailed } from "../connection/errors.ts";
import { isOpenToAll, type ServerUser } from "./server-user.ts";

/** Where the server of one Rialto data folder keeps what it has. */
export interface Place {
  /** Holds the cluster, the server's log and the file with the password, and is the server's own. */
  readonly folder: string;
  readonly data: string;
  readonly password: string;
}

/** Root's own folder that every user may enter, for what another user must read. */
export const openFolder = "/var/lib/rialto";

/**
 * Says where the database of a data folder is, the same place at every start.
 *
 * It is in the data folder itself, but for root: there the server runs as another user, who may not be able to enter (a clone
 * under /root), and then it is under /var/lib/rialto. The choice and the password are kept in `postgres.json` of the data
 * folder, so that they survive a restart, and a data folder that was removed starts afresh.
 */
export function placeOf(directory: string, user: ServerUser | undefined): Place {
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
