import { readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { processIdentity } from "./process-identity.ts";

/** A server process that lives on a data folder, as its `postmaster.pid` tells. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

/**
 * The server that lives on a data folder, whoever started it; undefined where there is none.
 *
 * A pid file whose process is another program by now (the pid was given again) is removed, as Postgres itself would take that
 * program for its predecessor and refuse to start.
 */
export function livePostmaster(data: string): Postmaster | undefined {
  const path = join(data, "postmaster.pid");
  let lines: string[];
  try {
    lines = readFileSync(path, "utf8").split("\n");
  } catch {
    return undefined;
  }
  // Lines: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isInteger(pid) || pid === 0 || processIdentity(pid) === undefined) return undefined;
  if (!runsOn(pid, data)) {
    rmSync(path, { force: true });
    return undefined;
  }
  return { pid, port: Number(lines[3]), status: (lines[7] ?? "").trim() };
}

/** Whether the process is a server on this folder: Postgres makes its data folder its working folder. */
function runsOn(pid: number, data: string): boolean {
  if (process.platform !== "linux") return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  } catch {
    return false;
  }
}

/** Waits until the process is gone; false when it still lives after `timeoutMs`. */
export async function isGone(pid: number, timeoutMs: number): Promise<boolean> {
  const identity = processIdentity(pid);
  const pollMs = 20;
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    if (identity === undefined || processIdentity(pid) !== identity) return true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return false;
}
