import { readFileSync } from "node:fs";

const pollMs = 250;

/**
 * Calls back once when the npm that started this process is gone. npm hands a SIGTERM to the shell between it and us, which dies of it
 * and tells nobody; killed with -9 it tells nobody either. Without this the process would live on, unseen, on its port.
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

/** npm's pid where a shell stands between: dash stays, other shells become the command. Only Linux lets us look. */
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
    // Of another user, and alive.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
