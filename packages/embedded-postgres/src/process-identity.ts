import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { sleep } from "@rialto/async";

/**
 * Returns a text that identifies one process for good, also against a later one with the same pid: its start time, in
 * the system's own format. Undefined when no such process is alive. A zombie is not alive.
 */
export function processIdentity(pid: number): string | undefined {
  if (!isAlive(pid)) return undefined;
  if (process.platform === "linux") return linuxIdentity(pid);
  if (process.platform === "win32") return "alive";
  try {
    // An absolute path and a fixed locale, because another process compares its own output with this.
    const started = execFileSync("/bin/ps", ["-o", "lstart=", "-p", String(pid)], { env: { LC_ALL: "C" } });
    return started.toString().trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Waits until the process has ended. Returns false when it is still alive after `timeoutMs`. */
export async function isGone(pid: number, timeoutMs: number): Promise<boolean> {
  const identity = processIdentity(pid);
  const pollMs = 20;
  for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += pollMs) {
    if (identity === undefined || processIdentity(pid) !== identity) return true;
    await sleep(pollMs);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function linuxIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in brackets and may contain spaces, so fields are counted after it: 0 is the state, 19 the
    // start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}
