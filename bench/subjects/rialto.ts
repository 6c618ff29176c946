import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithBench } from "./end-with-bench.ts";

/** Who the bench is at a Rialto that it started. */
export const admin = { email: "admin@bench.example", password: "the password of the admin of a bench" } as const;

/** The whole of Rialto in one process, which is ready. */
export interface RialtoProcess {
  readonly pid: number;
  readonly url: string;
  /** From the start of the process to the first 200 of `/ready`. */
  readonly readyMs: number;
  stop(): Promise<void>;
}

const readyMsMax = 120_000;
const readyPollMs = 10;

/**
 * Starts a checkout's Rialto in one process, with its access log on, and waits until it is ready. Without a database's
 * URL it starts its embedded Postgres in `folder`, which the user of Postgres must be able to enter.
 */
export async function startRialto(o: {
  readonly root: string;
  readonly port: number;
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<RialtoProcess> {
  const started = performance.now();
  const errors = join(o.folder, "rialto.stderr");
  const child = spawn(process.execPath, [join(o.root, "apps/rialto/start.js")], {
    cwd: o.root,
    stdio: ["ignore", "ignore", openSync(errors, "w")],
    env: { PATH: process.env.PATH, PORT: `${o.port}`, ...rialtoEnv(o.folder), ...o.env },
  });
  const exited = once(child, "exit");
  // Its embedded Postgres ends with it, so it gets the time to stop it.
  child.once("exit", endWithBench(child.pid, "SIGTERM"));
  const url = `http://127.0.0.1:${o.port}`;
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await exited;
  };
  while (!(await isReady(url))) {
    if (child.exitCode !== null)
      throw new Error(
        `Rialto of ${o.root} ended with ${child.exitCode}: ${readFileSync(errors, "utf8").slice(-1_000)}`,
      );
    if (performance.now() - started > readyMsMax) {
      await stop();
      throw new Error(`Rialto of ${o.root} is not ready within ${readyMsMax} ms`);
    }
    await sleep(readyPollMs);
  }
  // A process that answers has an id.
  return { pid: child.pid ?? Number.NaN, url, readyMs: performance.now() - started, stop };
}

/** What every process of a Rialto of the bench is told. */
export function rialtoEnv(folder: string): Readonly<Record<string, string>> {
  return {
    RIALTO_DATA_DIR: join(folder, "data"),
    RIALTO_SECRET: "the secret of a run of the bench",
    RIALTO_ADMIN_EMAIL: admin.email,
    RIALTO_ADMIN_PASSWORD: admin.password,
    RIALTO_ARGON2_COST: "test",
    // It keeps its last traces in development, which costs what production does not pay.
    OTEL_SDK_DISABLED: "true",
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`)).ok;
  } catch {
    return false;
  }
}
