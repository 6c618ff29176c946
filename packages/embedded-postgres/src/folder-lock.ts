import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataFolderInUse } from "./errors.ts";
import { processIdentity } from "./process-identity.ts";

interface Holder {
  readonly pid: number;
  readonly identity: string;
  readonly lock: string;
}

/** How many locks of dead processes are taken over in a row before giving up. */
const takeoverTriesMax = 20;

/**
 * Locks the data folder for this process. Throws `DataFolderInUse` when a live process holds it.
 *
 * The lock file names its holder by pid and start time. So the lock of a killed process is taken over, also when its
 * pid belongs to another process by now. The file is created complete, by a hard link.
 */
export function lockFolder(folder: string): { release(): void } {
  const path = join(folder, "rialto.lock");
  const lock = randomUUID();
  const own = join(folder, `.rialto.lock.${lock}`);
  const holder: Holder = { pid: process.pid, identity: processIdentity(process.pid) ?? "alive", lock };
  writeFileSync(own, JSON.stringify(holder), { mode: 0o644 });
  try {
    for (let tries = 0; tries < takeoverTriesMax; tries += 1) {
      if (link(own, path)) return { release: () => release(path, lock) };
      const found = read(path);
      if (found !== undefined && isHeld(found)) throw new DataFolderInUse(folder, found.pid);
      moveAside(path, `${own}.stale`);
    }
    throw new DataFolderInUse(folder, read(path)?.pid ?? 0);
  } finally {
    rmSync(own, { force: true });
  }
}

function link(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function read(path: string): Holder | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof found !== "object" || found === null) return undefined;
    if (!("pid" in found && "identity" in found && "lock" in found)) return undefined;
    const { pid, identity, lock } = found;
    if (typeof pid !== "number" || typeof identity !== "string" || typeof lock !== "string") return undefined;
    return { pid, identity, lock };
  } catch {
    return undefined;
  }
}

function isHeld(holder: Holder): boolean {
  return processIdentity(holder.pid) === holder.identity;
}

/** Removes a dead process's lock. If another process has locked the folder in the meantime, its file is put back. */
function moveAside(path: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = read(aside);
  if (moved !== undefined && isHeld(moved)) link(aside, path);
  rmSync(aside, { force: true });
}

function release(path: string, lock: string): void {
  if (read(path)?.lock === lock) rmSync(path, { force: true });
}
