import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@rialto/database";
import { createLogger } from "@rialto/telemetry";
import postgres from "postgres";
import type { Part } from "./process.ts";

/** Two replicas of everything, twice over while the sessions of killed ones are not noticed yet. */
const settings = { max_connections: "500" };

/** The Postgres of a run: a server with many processes, which are killed and frozen together. */
export interface PostgresTree extends Part {
  /** The superuser's. The same after every start. */
  readonly url: string;
  readonly port: number;
  /** What the server itself has logged: refused rows, deadlocks, recoveries. */
  serverLog(): string;
}

/** Starts the Postgres of a run in a folder, on a port that it has at every start. */
export async function startPostgresTree(directory: string, port: number): Promise<PostgresTree> {
  const log = createLogger({ service: "chaos", level: "silent" });
  let server = await startEmbeddedPostgres({ directory, log, settings, port });
  let known = await lookInside(server);
  const { url } = server;
  const signalAll = (signal: NodeJS.Signals) => {
    for (const pid of [known.postmaster, ...childrenOf(known.postmaster)]) send(pid, signal);
  };
  return {
    name: "postgres",
    url,
    port,
    serverLog: () => readFileSync(known.logPath, "utf8"),
    async kill() {
      // Stopped first, so that none of them can act while the others die.
      signalAll("SIGSTOP");
      signalAll("SIGKILL");
      // Nothing is left to stop; it lets go of the folder.
      await server.stop();
    },
    async start() {
      server = await startEmbeddedPostgres({ directory, log, settings, port });
      known = await lookInside(server);
    },
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    stop: () => server.stop(),
  };
}

/** Which process the server's sessions descend from, and where it logs. */
async function lookInside({ url }: EmbeddedPostgres): Promise<{ postmaster: number; logPath: string }> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ pid: number; data: string }[]>`
      select pg_backend_pid() as pid, current_setting('data_directory') as data`;
    if (row === undefined) throw new Error("Postgres does not say who it is");
    return { postmaster: parentOf(row.pid), logPath: join(dirname(row.data), "server.log") };
  } finally {
    await sql.end();
  }
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name stands in brackets and may hold spaces; behind it: state, parent.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return parentOf(pid) === parent;
      } catch {
        return false;
      }
    });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
