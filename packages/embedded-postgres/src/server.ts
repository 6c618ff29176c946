import { execFile, spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { sleep, withTimeout } from "@rialto/async";
import type { Binaries } from "./binaries.ts";
import type { DataFolder } from "./data-folder.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { isGone, processIdentity } from "./process-identity.ts";
import type { ServerUser } from "./server-user.ts";

const run = promisify(execFile);

/** Includes the recovery after a crash. */
const startMsMax = 60_000;
const startTriesMax = 40;
const startRetryDelayMs = 250;
const fastShutdownMsMax = 3_500;
const immediateShutdownMsMax = 1_000;
/** A longer server log is truncated at the next start. */
const logBytesMax = 10_000_000;

/** The cluster's superuser. */
export const superuser = "postgres";

/** The programs' environment, without variables that would change what they do (PGPORT, LD_PRELOAD, a locale). */
function environment(): Record<string, string> {
  // biome-ignore lint/style/noProcessEnv: passed on, not read as configuration
  const { PATH = "/usr/bin:/bin", SystemRoot, TEMP } = process.env;
  return { PATH, LC_ALL: "C", ...(SystemRoot && { SystemRoot }), ...(TEMP && { TEMP }) };
}

/** Creates the cluster where there is none. A cluster that a killed initdb left incomplete is created again. */
export async function initialize(
  binaries: Binaries,
  folder: DataFolder,
  user: ServerUser | undefined,
  onProgram: () => void,
): Promise<void> {
  const complete = join(folder.folder, "initialised");
  if (existsSync(complete)) return;
  rmSync(folder.data, { recursive: true, force: true });
  const passwordFile = join(folder.folder, "initial-password");
  writeFileSync(passwordFile, `${folder.password}\n`, { mode: 0o600 });
  if (user !== undefined) chownSync(passwordFile, user.uid, user.gid);
  try {
    // The built-in C.UTF-8 locale sorts and folds the same on every machine, whatever ICU or libc it has.
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const access = ["--auth=scram-sha-256", `--username=${superuser}`, `--pwfile=${passwordFile}`];
    const made = run(binaries.initdb, [`--pgdata=${folder.data}`, ...locale, ...access], {
      ...user,
      cwd: folder.folder,
      env: environment(),
    });
    onProgram();
    await made;
  } catch (cause) {
    throw new EmbeddedPostgresFailed(`The embedded Postgres could not make its data folder ${folder.data}.`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(complete, "");
}

/**
 * Starts the server and resolves when it accepts connections.
 *
 * It runs in a process group of its own: Ctrl-C reaches this process alone, which stops the server after the services
 * that use it. The start is retried while processes of a killed predecessor still hold its shared memory, or when
 * another process took the port.
 */
export async function startServer(o: {
  binaries: Binaries;
  folder: DataFolder;
  user: ServerUser | undefined;
  port: number | undefined;
  settings: Readonly<Record<string, string>>;
  onProgram: () => void;
}): Promise<{ pid: number; port: number }> {
  const logPath = join(o.folder.folder, "server.log");
  for (let tries = 1; ; tries += 1) {
    const port = o.port ?? (await freePort());
    const failure = await tryStart({ ...o, port, logPath });
    if (typeof failure !== "string") return { ...failure, port };
    const passes = /still in use|lock file .* already exists|Address already in use|could not bind/.test(failure);
    const portTaken = o.port !== undefined && /Address already in use|could not bind/.test(failure);
    if (portTaken) throw new EmbeddedPostgresFailed(`Port ${o.port} of the embedded Postgres is in use.`);
    if (!passes || tries >= startTriesMax) {
      const said = failure.split("\n").find((line) => /FATAL|PANIC|error/i.test(line)) ?? "it ended at once";
      throw new EmbeddedPostgresFailed(`The embedded Postgres did not start: ${said.trim()} (log: ${logPath})`);
    }
    await sleep(startRetryDelayMs);
  }
}

/** Tries once. Returns the process, or what it wrote to its log before it ended. */
async function tryStart(o: {
  binaries: Binaries;
  folder: DataFolder;
  user: ServerUser | undefined;
  port: number;
  logPath: string;
  settings: Readonly<Record<string, string>>;
  onProgram: () => void;
}): Promise<{ pid: number } | string> {
  const logged = existsSync(o.logPath) ? statSync(o.logPath).size : 0;
  const offset = logged > logBytesMax ? 0 : logged;
  const log = openSync(o.logPath, offset === 0 ? "w" : "a");
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "200",
    ...o.settings,
  };
  const child = spawn(
    o.binaries.postgres,
    ["-D", o.folder.data, "-p", String(o.port), ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`])],
    { ...o.user, cwd: o.folder.folder, env: environment(), detached: true, stdio: ["ignore", log, log] },
  );
  closeSync(log);
  o.onProgram();
  const ended = new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(true));
    child.once("exit", () => resolve(true));
  });
  child.unref();
  const pollMs = 10;
  for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += pollMs) {
    if (await withTimeout(ended, pollMs, false)) return readFileSync(o.logPath, "utf8").slice(offset);
    const postmaster = livePostmaster(o.folder.data);
    if (postmaster?.pid === child.pid && postmaster?.status === "ready") return { pid: postmaster.pid };
  }
  if (child.pid !== undefined) await stopServer(o.binaries, o.folder, o.user, child.pid);
  return `error: it was not ready after ${startMsMax / 1000} s`;
}

/**
 * Stops the server: a fast shutdown (sessions are cut, everything is written to disk), an immediate one where that
 * takes too long.
 */
export async function stopServer(
  binaries: Binaries,
  folder: DataFolder,
  user: ServerUser | undefined,
  pid: number,
): Promise<void> {
  if (process.platform === "win32") {
    await run(binaries.pgCtl, ["stop", "-D", folder.data, "-m", "fast", "-w"], { ...user, env: environment() });
    return;
  }
  for (const [signal, waitMs] of [
    ["SIGINT", fastShutdownMsMax],
    ["SIGQUIT", immediateShutdownMsMax],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (await isGone(pid, waitMs)) return;
  }
}

/** A server process, as its `postmaster.pid` describes it. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: string;
}

/**
 * Returns the server that runs on a cluster, whichever process started it; undefined when there is none.
 *
 * A pid file whose pid belongs to another program by now is removed: Postgres would take that program for its
 * predecessor and refuse to start.
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

/** Whether the process is a server on this cluster: Postgres makes its data folder its working folder. */
function runsOn(pid: number, data: string): boolean {
  if (process.platform !== "linux") return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
