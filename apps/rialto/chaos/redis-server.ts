import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type Part } from "./process.ts";

const startMsMax = 20_000;
const startPollMs = 50;
const answerMsMax = 5_000;
const flushTriesMax = 3;

/** The Redis of a run. It has no persistence, so a kill loses its data. */
export interface RedisServer extends Part {
  /** FLUSHALL. */
  flush(): Promise<void>;
  /** Closes the connections of all clients. */
  cutAll(): Promise<void>;
}

/** Starts a redis-server on a port. */
export async function startRedisServer(port: number, directory: string): Promise<RedisServer> {
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    const mine = spawn("redis-server", [...args, "--maxmemory-policy", "noeviction", "--dir", directory], {
      stdio: "ignore",
    });
    child = mine;
    mine.on("error", () => undefined);
    for (let waitedMs = 0; waitedMs < startMsMax && isAlive(mine); waitedMs += startPollMs) {
      if ((await ask(port, "PING").catch(() => "")).startsWith("+PONG")) return;
      await sleep(startPollMs);
    }
    throw new Error("redis-server does not start: is it installed?");
  }

  async function end(): Promise<void> {
    const mine = child;
    if (mine === undefined || !isAlive(mine)) return;
    const ended = once(mine, "exit");
    mine.kill("SIGKILL");
    await ended;
  }

  await start();
  return {
    name: "redis",
    kill: end,
    start,
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    stop: end,
    async flush() {
      for (let tries = 1; ; tries += 1) {
        try {
          const answer = await ask(port, "FLUSHALL");
          if (!answer.startsWith("+OK")) throw new Error(`FLUSHALL was answered with ${answer}`);
          return;
        } catch (error) {
          // A delayed CLIENT KILL in a frozen server can end this connection as well.
          if (tries === flushTriesMax) throw error;
          await sleep(startPollMs);
        }
      }
    },
    async cutAll() {
      const answer = await ask(port, "CLIENT KILL TYPE normal SKIPME yes");
      if (!answer.startsWith(":")) throw new Error(`CLIENT KILL was answered with ${answer}`);
    },
  };
}

function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\n`));
    socket.setTimeout(answerMsMax, () => socket.destroy(new Error(`Redis does not answer ${command}`)));
    socket.once("error", reject);
    // Without effect after a response: a promise settles once.
    socket.once("close", () => reject(new Error(`Redis closed the connection before it answered ${command}`)));
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}
