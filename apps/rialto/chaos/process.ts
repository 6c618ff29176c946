import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const readyMsMax = 90_000;
const readyPollMs = 150;
/** The delay before a failed start is retried: Postgres may be down. */
const restartDelayMs = 500;
const stopMsMax = 30_000;
const outputBytesShown = 3_000;

/** A part of the system that faults are injected into. */
export interface Part {
  readonly name: string;
  /** Sends SIGKILL to it and its child processes. */
  kill(): Promise<void>;
  /** Starts it. Resolves once it is ready. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Stops it gracefully. */
  stop(): Promise<void>;
}

/** A Node process, with a supervisor that restarts it if a start fails. */
export interface NodeProcess extends Part {
  readonly logPath: string;
  /** Waits until it is ready for work and its subscriptions are registered. */
  untilWorking(): Promise<void>;
  /** Unexpected exits after the process was ready. */
  readonly unexpectedExits: readonly string[];
}

/** Creates a process of one `main.ts`. `GET /health` tells that it is up, `GET /ready` that it is ready for work. */
export function describeProcess(o: {
  readonly name: string;
  readonly main: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  /** It may kill itself with SIGKILL, because it runs a seeded bug that crashes. */
  readonly mayCrash: boolean;
}): NodeProcess {
  const unexpectedExits: string[] = [];
  let child: ChildProcess | undefined;
  /** Counts the commands. A supervisor stops when a newer command was given. */
  let orders = 0;

  async function untilReady(order: number): Promise<void> {
    const until = Date.now() + readyMsMax;
    while (order === orders) {
      const logged = sizeOf(o.logPath);
      const mine = run(o);
      child = mine;
      while (isAlive(mine)) {
        if (await isWell(o.port, "/health")) {
          watch(mine, logged, order);
          return;
        }
        if (Date.now() > until) {
          // A retry starts another process, which needs the port.
          mine.kill("SIGKILL");
          throw new Error(`${o.name} not ready after ${readyMsMax} ms: ${o.logPath}`);
        }
        await sleep(readyPollMs);
      }
      // A failed start reports why and exits. An uncaught error is a defect, whatever is down.
      if (order === orders && isUncaught(tail(o.logPath, logged)))
        unexpectedExits.push(`${o.name} ended by itself as it started: ${tail(o.logPath, logged)}`);
      if (Date.now() > until) throw new Error(`${o.name} does not start: ${tail(o.logPath, logged)}`);
      await sleep(restartDelayMs);
    }
  }

  /** A process that was ready must not end unexpectedly, whatever is down. */
  function watch(mine: ChildProcess, logged: number, order: number): void {
    mine.once("exit", (code, signal) => {
      if (order !== orders) return;
      const crashed = o.mayCrash && signal === "SIGKILL";
      if (!crashed) unexpectedExits.push(`${o.name} ended by itself (${signal ?? code}): ${tail(o.logPath, logged)}`);
      untilReady(order).catch((error: unknown) => unexpectedExits.push(String(error)));
    });
  }

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    orders += 1;
    const mine = child;
    if (mine === undefined || !isAlive(mine)) return;
    const ended = once(mine, "exit");
    mine.kill(signal);
    // SIGKILL also ends a frozen process; other signals are delivered when it continues.
    if (signal !== "SIGKILL") mine.kill("SIGCONT");
    const late = setTimeout(() => mine.kill("SIGKILL"), stopMsMax);
    await ended;
    clearTimeout(late);
  }

  async function untilWorking(): Promise<void> {
    const until = Date.now() + readyMsMax;
    while (!(await isWell(o.port, "/ready"))) {
      if (Date.now() > until) throw new Error(`${o.name} not ready for work after ${readyMsMax} ms: ${o.logPath}`);
      await sleep(readyPollMs);
    }
  }

  return {
    name: o.name,
    logPath: o.logPath,
    untilWorking,
    unexpectedExits,
    kill: () => end("SIGKILL"),
    start: () => untilReady(++orders),
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    stop: () => end("SIGTERM"),
  };
}

function run(o: { readonly main: string; readonly env: Readonly<Record<string, string>>; readonly logPath: string }) {
  // A file, not a pipe: it keeps the last output of a killed process and needs no reader.
  const log = openSync(o.logPath, "a");
  const child = spawn(process.execPath, [o.main], { env: { ...o.env }, stdio: ["ignore", log, log] });
  closeSync(log);
  child.on("error", () => undefined);
  return child;
}

/** Whether the child process is running. */
export function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function isWell(port: number, path: "/health" | "/ready"): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(1_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Whether the output ends with Node's report of an uncaught error. */
function isUncaught(said: string): boolean {
  return /\nNode\.js v\d+\.\d+\.\d+\s*$/.test(said);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function tail(path: string, from: number): string {
  return readFileSync(path, "utf8").slice(from).slice(-outputBytesShown);
}
