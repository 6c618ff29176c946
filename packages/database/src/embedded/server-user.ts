import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "@rialto/telemetry";

/** Whom the server runs as where it may not run as we do. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The user to run Postgres as: none (ourselves), unless we are root, as whom Postgres refuses to run. Then the user `postgres`,
 * made where it is missing; a system without a way to make users has `nobody`.
 */
export function serverUser(log: Logger): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const found = lookUp("postgres");
  if (found !== undefined) return found;
  for (const [command, ...args] of [
    ["useradd", "--system", "--user-group", "--no-create-home", "postgres"],
    ["adduser", "-S", "-D", "-H", "postgres"],
  ] as const) {
    try {
      execFileSync(command, args, { stdio: "ignore" });
    } catch {
      continue;
    }
    const made = lookUp("postgres");
    if (made !== undefined) {
      log.info("made the system user postgres, as whom the embedded Postgres runs");
      return made;
    }
  }
  return lookUp("nobody") ?? { uid: 65_534, gid: 65_534 };
}

function lookUp(name: string): ServerUser | undefined {
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(":") ?? [];
    return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a folder, and so every folder above it, can be entered by any user. */
export function isOpenToAll(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  const above = dirname(folder);
  return above === folder || isOpenToAll(above);
}
