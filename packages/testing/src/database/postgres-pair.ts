import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { createLogger } from "@rialto/telemetry";
import postgres from "postgres";
import { type MovingName, movingName } from "../servers/moving-name.ts";

const run = promisify(execFile);
const pollMs = 25;
const copyTriesMax = 3;

/** A primary and its standby, behind one name that leads to the primary. */
export interface PostgresPair {
  /** The superuser's URL, by the name. It stays the same when the primary changes. */
  readonly url: string;
  /** The port of the current primary, for a test with a name of its own. */
  primaryPort(): number;
  /** The logs of the servers, one after the other. */
  serverLog(): string;
  /** As the superuser, at the primary itself. */
  onPrimary<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T>;
  /** Makes the primary read-only, or writable again; sessions that are open notice it with their next transaction. */
  setReadOnly(isReadOnly: boolean): Promise<void>;
  /**
   * Planned: the primary becomes read-only, the standby has all that it has and is promoted, the name leads there. The
   * old one lives on, read-only, and keeps its connections open.
   */
  switchOver(): Promise<void>;
  /** Kills the primary, promotes the standby, and leads the name there. */
  failOver(): Promise<void>;
  /** Kills the primary with all its processes, for `restart` to bring it back. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Stops the primary where it stands, and lets it go on. */
  freeze(): void;
  thaw(): void;
  /** Makes a standby of the primary, anew for each move. The old primary is stopped. */
  addStandby(): Promise<void>;
  close(): Promise<void>;
}

interface Server {
  readonly directory: string;
  readonly running: EmbeddedPostgres;
  readonly port: number;
  readonly postmaster: number;
  /** The folder of its cluster, in which its log is. */
  readonly folder: string;
}

/**
 * Starts a primary in a folder; `addStandby` gives it a standby. The standby is a copy of the data folder of the
 * running primary (Postgres' low-level backup), which follows it by streaming. `synchronous`: a commit is answered once
 * the standby has it on disk.
 */
export async function startPostgresPair(o: {
  readonly folder: string;
  readonly synchronous: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<PostgresPair> {
  const log = createLogger({ service: "test", level: "silent" });
  // Kept long enough for a standby that is a little behind.
  const settings = { max_connections: "300", wal_keep_size: "256MB", ...o.settings };
  let made = 0;
  const open = async (directory: string, more: Readonly<Record<string, string>> = {}): Promise<Server> => {
    const running = await startEmbeddedPostgres({ directory, log, settings: { ...settings, ...more } });
    const folder = String(JSON.parse(readFileSync(join(directory, "postgres.json"), "utf8")).folder);
    const postmaster = Number(readFileSync(join(folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);
    return { directory, running, port: Number(new URL(running.url).port), postmaster, folder };
  };
  let primary = await open(join(o.folder, "server-0"));
  let standby: Server | undefined;
  const folders = [primary.folder];
  const retired: Server[] = [];
  const name: MovingName = await movingName(primary.port);
  const url = new URL(primary.running.url);
  url.port = String(name.port);

  async function promote(): Promise<Server> {
    if (standby === undefined) throw new Error("there is no standby to promote");
    const next = standby;
    await as(next, (sql) => sql`select pg_promote(true, 60)`);
    retired.push(primary);
    primary = next;
    standby = undefined;
    name.move(primary.port);
    return primary;
  }

  const pair: PostgresPair = {
    url: url.href,
    primaryPort: () => primary.port,
    serverLog: () => folders.map((folder) => readFileSync(join(folder, "server.log"), "utf8")).join(""),
    onPrimary: (work) => as(primary, work),
    setReadOnly: (isReadOnly) => setReadOnly(primary, isReadOnly),
    async switchOver() {
      if (standby === undefined) throw new Error("there is no standby to switch over to");
      await setReadOnly(primary, true);
      await until(() =>
        as(primary, async (sql) => {
          // Transactions that had begun to write before may still commit.
          const [row] = await sql<{ writing: number; behind: number }[]>`
            select count(*) filter (where backend_xid is not null)::int as writing,
              (select count(*)::int from pg_stat_replication where replay_lsn < pg_current_wal_lsn()) as behind
            from pg_stat_activity`;
          return row?.writing === 0 && row.behind === 0;
        }),
      );
      await promote();
      // What it copied of the old one's configuration has nothing of this.
      await setReadOnly(primary, false);
    },
    async failOver() {
      await killServer(primary);
      await promote();
    },
    kill: () => killServer(primary),
    async restart() {
      primary = await open(primary.directory);
      name.move(primary.port);
    },
    freeze: () => signalAll(primary, "SIGSTOP"),
    thaw: () => signalAll(primary, "SIGCONT"),
    async addStandby() {
      for (const old of retired.splice(0)) await old.running.stop();
      made += 1;
      const directory = join(o.folder, `server-${made}`);
      await copyServer(primary, directory);
      const { port, password } = new URL(primary.running.url);
      standby = await open(directory, {
        primary_conninfo: `host=127.0.0.1 port=${port} user=postgres password=${password} application_name=standby`,
      });
      folders.push(standby.folder);
      await until(() =>
        as(primary, async (sql) => (await sql`select 1 from pg_stat_replication where state = 'streaming'`).length > 0),
      );
      if (!o.synchronous) return;
      await as(primary, async (sql) => {
        await sql`alter system set synchronous_standby_names = '*'`;
        await sql`select pg_reload_conf()`;
      });
      await until(() =>
        as(primary, async (sql) => (await sql`select 1 from pg_stat_replication where sync_state = 'sync'`).length > 0),
      );
    },
    async close() {
      await name.close();
      for (const server of [standby, primary, ...retired]) await server?.running.stop();
    },
  };
  return pair;
}

/** Postgres' low-level backup: https://www.postgresql.org/docs/current/continuous-archiving.html */
async function copyServer(from: Server, directory: string): Promise<void> {
  const state: object = JSON.parse(readFileSync(join(from.directory, "postgres.json"), "utf8"));
  const folder = join(directory, "postgres");
  mkdirSync(folder, { recursive: true });
  const to = join(folder, "data");
  await as(from, async (sql) => {
    const [row] = await sql<{ data: string }[]>`select current_setting('data_directory') as data`;
    const data = row?.data ?? "";
    for (let tries = 1; ; tries += 1) {
      await sql`select pg_backup_start('standby', true)`;
      // With owners and rights, as root's server runs as another user. A file that vanishes meanwhile fails it.
      const copied = await run("cp", ["-a", data, to]).then(
        () => true,
        () => false,
      );
      const [stopped] = await sql<{ labelfile: string }[]>`select labelfile from pg_backup_stop(false)`;
      writeFileSync(join(to, "backup_label"), stopped?.labelfile ?? "");
      if (copied) break;
      if (tries === copyTriesMax) throw new Error(`${data} cannot be copied`);
      rmSync(to, { recursive: true, force: true });
    }
    writeFileSync(join(to, "standby.signal"), "");
    rmSync(join(to, "postmaster.pid"), { force: true });
    // It is a primary's decision, and not of the one that it may become.
    const auto = join(to, "postgresql.auto.conf");
    const kept = readFileSync(auto, "utf8")
      .split("\n")
      .filter((line) => !line.startsWith("synchronous_standby_names"));
    writeFileSync(auto, kept.join("\n"));
    writeFileSync(join(folder, "initialised"), "");
    await run("chown", ["--reference", dirname(data), folder]);
    for (const file of ["backup_label", "standby.signal"])
      await run("chown", ["--reference", join(data, "PG_VERSION"), join(to, file)]);
  });
  writeFileSync(join(directory, "postgres.json"), JSON.stringify({ ...state, folder }), { mode: 0o600 });
}

async function setReadOnly(server: Server, isReadOnly: boolean): Promise<void> {
  await as(server, async (sql) => {
    await sql.unsafe(`alter system set default_transaction_read_only = ${isReadOnly ? "on" : "off"}`);
    await sql`select pg_reload_conf()`;
  });
}

/** Kills the server with all its processes, at one moment. */
async function killServer(server: Server): Promise<void> {
  // Stopped first, so that none of them can act while the others die.
  signalAll(server, "SIGSTOP");
  signalAll(server, "SIGKILL");
  // Nothing is left to stop; it lets go of the folder.
  await server.running.stop();
}

function signalAll({ postmaster }: Server, signal: NodeJS.Signals): void {
  for (const pid of [postmaster, ...childrenOf(postmaster)]) send(pid, signal);
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        // The name stands in brackets and may hold spaces; behind it: state, parent.
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === parent;
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

async function as<T>({ running }: Server, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(running.url, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Waits until it is so. Who waits in vain is ended by the test's own time-out. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(pollMs);
}
