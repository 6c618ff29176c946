import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithBench } from "./end-with-bench.ts";

/** A process that the bench started. */
export interface Child {
  readonly pid: number;
  stop(): Promise<void>;
}

const startMsMax = 90_000;
const startPollMs = 20;
const stopMsMax = 15_000;
const errorsShown = 2_000;

/**
 * Starts a process and waits until it accepts connections on its port. Its output goes to `/dev/null`, so that access
 * logs are written and read by nobody; its errors to a file, of which the end is shown where it does not start.
 */
export async function startChild(o: {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly port: number;
  /** For the file of its errors. */
  readonly folder: string;
}): Promise<Child> {
  const errors = join(o.folder, `${o.name.replaceAll(/\W+/g, "-")}.stderr`);
  const child = spawn(o.command, o.args, {
    env: { ...inherited(), ...o.env },
    stdio: ["ignore", "ignore", openSync(errors, "w")],
    ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
  });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => undefined);
  child.once("exit", endWithBench(child.pid, "SIGKILL"));
  const stop = () => end(child);
  try {
    for (let waitedMs = 0; !(await isOpen(o.port)); waitedMs += startPollMs) {
      if (isGone(child) || waitedMs > startMsMax) throw new Error(`${o.name} does not start`);
      await Promise.race([sleep(startPollMs), failed]);
    }
  } catch (cause) {
    await stop();
    throw new Error(`${o.name} did not start: ${readFileSync(errors, "utf8").slice(-errorsShown)}`, { cause });
  }
  // A process that was spawned and answers has an id.
  return { pid: child.pid ?? Number.NaN, stop };
}

/** Returns a port of 127.0.0.1 that nobody listens to now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

/** The environment without what configures Rialto or Node, so that runs are alike. */
function inherited(): Record<string, string> {
  const left = /^(RIALTO_|BENCH_|PORT$|REDIS_URL$|DATABASE_URL$|SMTP_URL$|NODE_ENV$|NODE_OPTIONS$|npm_|PG)/;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || left.test(name) ? [] : [[name, value]],
    ),
  );
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function isGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || isGone(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await exited;
  clearTimeout(late);
}
