import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

/** A redis-server of a test's own. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const startMsMax = 10_000;
const startTriesMax = 5;

/**
 * Runs redis-server until the process that started it has ended, however it did: its end of standard input is closed
 * then. A test runner kills the processes of its tests, which run no handler of their exit.
 */
const untilParentEnds = 'exec 3<&0; redis-server "$@" & server=$!; (cat <&3; kill -9 $server) & wait $server';

/**
 * Starts a redis-server on a free port, which keeps nothing on disk and does not outlive this process. Undefined where
 * none is installed: then the run says so, and the test says by name what it leaves out.
 */
export async function redisForTests(): Promise<TestRedis | undefined> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) {
    process.stderr.write("redis-server is not installed: tests on Redis are left out\n");
    return undefined;
  }
  for (let tries = 0; tries < startTriesMax; tries += 1) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "rialto-test-redis-"));
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
    const child = spawn("sh", ["-c", untilParentEnds, "sh", ...args], { stdio: ["pipe", "ignore", "ignore"] });
    const close = async () => {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    };
    if (await isReady(child, port)) return { url: `redis://127.0.0.1:${port}`, port, close };
    await close();
  }
  throw new Error("redis-server did not start");
}

async function isReady(child: ChildProcess, port: number): Promise<boolean> {
  const pollMs = 25;
  for (let waitedMs = 0; waitedMs < startMsMax && child.exitCode === null; waitedMs += pollMs) {
    if (await answersPing(port)) return true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return false;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("data", (data) => {
      resolve(data.toString().startsWith("+PONG"));
      socket.destroy();
    });
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.stdin?.destroy();
  });
}
