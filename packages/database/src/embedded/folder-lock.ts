import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataFolderInUse } from "../connection/errors.ts";
import { processIdentity } from "./process-identity.ts";

interface Holder {
  readonly pid: number;
  readonly identity: string;
  readonly lock: string;
}

/** Bound on taking over locks of dead processes one after the other. */
const takeoverTriesMax = 20;

/**
 * Takes the data folder for this process, or throws `DataFolderInUse` when a live process holds it.
 *
 * A lock outlives its process only as a file: its holder is compared by pid and start time, so the lock of a process that was
 * killed is taken over, also when its pid was given to another since. The file appears whole, by a hard link.
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

/** Removes a dead process's lock. Where another process was faster and the file is a live one by now, it is put back. */
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
