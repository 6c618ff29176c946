import { execFile, spawn } from "node:child_process";
import { chownSync, closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresFailed } from "../connection/errors.ts";
import type { Binaries } from "./binaries.ts";
import type { Place } from "./place.ts";
import { isGone, livePostmaster } from "./postmaster.ts";
import type { ServerUser } from "./server-user.ts";

const run = promisify(execFile);

/** A start includes the recovery after a crash. */
const startMsMax = 60_000;
const startTriesMax = 40;
const startRetryDelayMs = 250;
const fastShutdownMsMax = 3_500;
const immediateShutdownMsMax = 1_000;
/** The server's log is begun anew once it is this long. */
const logBytesMax = 10_000_000;

/** The user of the cluster that may do everything. */
export const superuser = "postgres";

/** What the programs see of our environment: nothing that could steer them (PGPORT, LD_PRELOAD, a locale). */
function environment(): Record<string, string> {
  // biome-ignore lint/style/noProcessEnv: handed through, not read as configuration
  const { PATH = "/usr/bin:/bin", SystemRoot, TEMP } = process.env;
  return { PATH, LC_ALL: "C", ...(SystemRoot && { SystemRoot }), ...(TEMP && { TEMP }) };
}

/** Makes the cluster where there is none yet. A folder that a killed initdb left half made is made again. */
export async function initialise(binaries: Binaries, place: Place, user: ServerUser | undefined): Promise<void> {
  const complete = join(place.folder, "initialised");
  if (existsSync(complete)) return;
  rmSync(place.data, { recursive: true, force: true });
  const passwordFile = join(place.folder, "initial-password");
  writeFileSync(passwordFile, `${place.password}\n`, { mode: 0o600 });
  if (user !== undefined) chownSync(passwordFile, user.uid, user.gid);
  try {
    // The built-in C.UTF-8 locale sorts and folds the same on every machine, whatever ICU or libc it has.
    const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const access = ["--auth=scram-sha-256", `--username=${superuser}`, `--pwfile=${passwordFile}`];
    await run(binaries.initdb, [`--pgdata=${place.data}`, ...locale, ...access], {
      ...user,
      cwd: place.folder,
      env: environment(),
    });
  } catch (cause) {
    throw new EmbeddedPostgresFailed(`The embedded Postgres could not make its data folder ${place.data}.`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeFileSync(complete, "");
}

/**
 * Starts the server and returns when it takes connections.
 *
 * It is no child of ours in the terminal's eyes: Ctrl-C reaches us alone, and we stop it after those who use it. A start is
 * tried again while the processes of a killed predecessor still hold its shared memory, or when the port was taken meanwhile.
 */
export async function startServer(o: {
  binaries: Binaries;
  place: Place;
  user: ServerUser | undefined;
  port: number | undefined;
  settings: Readonly<Record<string, string>>;
}): Promise<{ pid: number; port: number }> {
  const logPath = join(o.place.folder, "server.log");
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
    await new Promise((resolve) => setTimeout(resolve, startRetryDelayMs));
  }
}

/** One attempt: the process, or what it wrote into its log before it ended. */
async function tryStart(o: {
  binaries: Binaries;
  place: Place;
  user: ServerUser | undefined;
  port: number;
  logPath: string;
  settings: Readonly<Record<string, string>>;
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
    ["-D", o.place.data, "-p", String(o.port), ...Object.entries(settings).flatMap(([k, v]) => ["-c", `${k}=${v}`])],
    { ...o.user, cwd: o.place.folder, env: environment(), detached: true, stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const ended = new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(true));
    child.once("exit", () => resolve(true));
  });
  child.unref();
  const pollMs = 25;
  for (let waitedMs = 0; waitedMs < startMsMax; waitedMs += pollMs) {
    const pause = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), pollMs));
    if (await Promise.race([ended, pause])) return readFileSync(o.logPath, "utf8").slice(offset);
    const postmaster = livePostmaster(o.place.data);
    if (postmaster?.pid === child.pid && postmaster?.status === "ready") return { pid: postmaster.pid };
  }
  if (child.pid !== undefined) await stopServer(o.binaries, o.place, o.user, child.pid);
  return `error: it was not ready after ${startMsMax / 1000} s`;
}

/** Stops the server: fast (sessions are cut, everything is written down), at once where that takes too long. */
export async function stopServer(
  binaries: Binaries,
  place: Place,
  user: ServerUser | undefined,
  pid: number,
): Promise<void> {
  if (process.platform === "win32") {
    await run(binaries.pgCtl, ["stop", "-D", place.data, "-m", "fast", "-w"], { ...user, env: environment() });
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
