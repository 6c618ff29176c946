import { readFileSync } from "node:fs";

const pollMs = 250;

/**
 * Calls back once when the npm that started this process is gone. npm forwards SIGTERM to the shell between it and this
 * process, and the shell ends without forwarding it; a SIGKILL is never forwarded. Without this check the process would
 * go on running, on its port.
 */
export function onNpmGone(callBack: () => void): void {
  const parent = process.ppid;
  const npm = parentOfShell(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || isAlive(npm))) return;
    clearInterval(timer);
    callBack();
  }, pollMs);
  timer.unref();
}

/** Returns npm's pid if a shell is between: dash stays, other shells exec the command. Works on Linux only. */
function parentOfShell(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, name, rest] = /\((.*)\) \S (\d+) /s.exec(stat) ?? [];
    return name === "sh" || name === "dash" || name === "bash" ? Number(rest) : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process is alive and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
