import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const readyMsMax = 90_000;
const readyPollMs = 150;
/** How long a supervisor waits before it starts again what did not come up: Postgres may just be down. */
const restartDelayMs = 500;
const stopMsMax = 10_000;
const outputBytesShown = 3_000;

/** A part of the system that faults happen to. */
export interface Part {
  readonly name: string;
  /** SIGKILL, and whatever it started with it. */
  kill(): Promise<void>;
  /** Starts it, and resolves once it is ready for work. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Ends it in order, for good. */
  stop(): Promise<void>;
}

/** A process of ours, with a supervisor that starts it again where it does not come up. */
export interface NodeProcess extends Part {
  readonly logPath: string;
  /** Waits, once it has been started, until it takes work: what it wants to hear of is registered by then. */
  untilWorking(): Promise<void>;
  /** Ends that nobody asked for, of a process that had been ready. */
  readonly ownEnds: readonly string[];
}

/** Describes a process of one `main.ts`. It says that it is up by `GET /health`, and that it takes work by `GET /ready`. */
export function describeProcess(o: {
  readonly name: string;
  readonly main: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
  /** It may kill itself with SIGKILL: it runs a seeded bug, which crashes at its named point. */
  readonly mayCrash: boolean;
}): NodeProcess {
  const ownEnds: string[] = [];
  let child: ChildProcess | undefined;
  /** Counts what was asked for: a supervisor that finds that something else was asked for since is done. */
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
          // Whoever tries again starts another, and this one would have its port.
          mine.kill("SIGKILL");
          throw new Error(`${o.name} is not ready after ${readyMsMax} ms: ${o.logPath}`);
        }
        await sleep(readyPollMs);
      }
      // A start says why it cannot, and ends. What nobody caught is a defect, whatever is down; being killed is neither.
      if (order === orders && isUncaught(tail(o.logPath, logged)))
        ownEnds.push(`${o.name} ended by itself as it started: ${tail(o.logPath, logged)}`);
      if (Date.now() > until) throw new Error(`${o.name} does not start: ${tail(o.logPath, logged)}`);
      await sleep(restartDelayMs);
    }
  }

  /** One that was ready must not end by itself, whatever is down. */
  function watch(mine: ChildProcess, logged: number, order: number): void {
    mine.once("exit", (code, signal) => {
      if (order !== orders) return;
      const crashed = o.mayCrash && signal === "SIGKILL";
      if (!crashed) ownEnds.push(`${o.name} ended by itself (${signal ?? code}): ${tail(o.logPath, logged)}`);
      untilReady(order).catch((error: unknown) => ownEnds.push(String(error)));
    });
  }

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    orders += 1;
    const mine = child;
    if (mine === undefined || !isAlive(mine)) return;
    const ended = once(mine, "exit");
    mine.kill(signal);
    // A frozen process takes a SIGKILL as it is, and anything else once it goes on.
    if (signal !== "SIGKILL") mine.kill("SIGCONT");
    const late = setTimeout(() => mine.kill("SIGKILL"), stopMsMax);
    await ended;
    clearTimeout(late);
  }

  async function untilWorking(): Promise<void> {
    const until = Date.now() + readyMsMax;
    while (!(await isWell(o.port, "/ready"))) {
      if (Date.now() > until) throw new Error(`${o.name} takes no work after ${readyMsMax} ms: ${o.logPath}`);
      await sleep(readyPollMs);
    }
  }

  return {
    name: o.name,
    logPath: o.logPath,
    untilWorking,
    ownEnds,
    kill: () => end("SIGKILL"),
    start: () => untilReady(++orders),
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    stop: () => end("SIGTERM"),
  };
}

function run(o: { readonly main: string; readonly env: Readonly<Record<string, string>>; readonly logPath: string }) {
  // A file, not a pipe: what a killed process wrote last is there, and nobody has to read it meanwhile.
  const log = openSync(o.logPath, "a");
  const child = spawn(process.execPath, [o.main], { env: { ...o.env }, stdio: ["ignore", log, log] });
  closeSync(log);
  child.on("error", () => undefined);
  return child;
}

/** Whether a child of ours has not ended yet. */
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

/** What Node writes last where an error ended it. */
function isUncaught(said: string): boolean {
  return /\nNode\.js v\d+\.\d+\.\d+\s*$/.test(said);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function tail(path: string, from: number): string {
  return readFileSync(path, "utf8").slice(from).slice(-outputBytesShown);
}
