import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createLogger } from "@rialto/telemetry";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DataFolderInUse, type EmbeddedPostgres, EmbeddedPostgresFailed, startEmbeddedPostgres } from "../src/index.ts";

const quietLog = createLogger({ service: "test", level: "silent" });
let directory: string;
const running: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rialto-test-embedded-"));
  chmodSync(directory, 0o755);
});
afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
  for (const server of running.splice(0)) await server.stop();
  const { folder } = existsSync(stateFile()) ? state() : { folder: directory };
  rmSync(folder, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
});

const stateFile = () => join(directory, "postgres.json");
const state = (): { folder: string; password: string } => JSON.parse(readFileSync(stateFile(), "utf8"));

async function start(o: { port?: number } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ directory, log: quietLog, ...o });
  running.push(server);
  return server;
}

async function query(url: string, text: string): Promise<readonly unknown[]> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await sql.unsafe(text);
  } finally {
    await sql.end();
  }
}

/** Another Rialto on the same folder. */
function anotherProcess(): Promise<{ child: ChildProcess; url: string }> {
  const program = fileURLToPath(new URL("support/hold-postgres.ts", import.meta.url));
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (data) => resolve({ child, url: JSON.parse(String(data)).url }));
    child.once("exit", () => reject(new Error("it ended")));
  });
}

function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

const postmasterPid = () => Number(readFileSync(join(state().folder, "data", "postmaster.pid"), "utf8").split("\n")[0]);

describe("startEmbeddedPostgres", () => {
  it("keeps the data from one start to the next", async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    await query(first.url, "create table kept as select 1 as n");
    await first.stop();
    await expect(query(first.url, "select 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 1 }]);
  });

  it("takes over the server of a Rialto that was killed", async () => {
    const other = await anotherProcess();
    await query(other.url, "create table kept as select 1 as n");
    await killed(other.child);
    const server = await start();
    expect(server.adopted).toBe(true);
    expect(server.url).toBe(other.url);
    expect(await query(server.url, "select n from kept")).toEqual([{ n: 1 }]);
    await server.stop();
    await expect(query(server.url, "select 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("recovers the data of a server that was killed with its Rialto", async () => {
    const other = await anotherProcess();
    await query(other.url, "create table kept as select 1 as n");
    const pid = postmasterPid();
    await killed(other.child);
    process.kill(pid, "SIGKILL");
    const server = await start();
    expect(server.adopted).toBe(false);
    expect(await query(server.url, "select n from kept")).toEqual([{ n: 1 }]);
  });

  it("is refused by a live Rialto on the same folder, which it names", async () => {
    const { child } = await anotherProcess();
    const refused = startEmbeddedPostgres({ directory, log: quietLog });
    await expect(refused).rejects.toBeInstanceOf(DataFolderInUse);
    await expect(refused).rejects.toThrow(`process ${child.pid}`);
    await killed(child);
    await start();
    await expect(startEmbeddedPostgres({ directory, log: quietLog })).rejects.toBeInstanceOf(DataFolderInUse);
  });

  it("lets one of two that start at the same time have the folder", async () => {
    const both = await Promise.allSettled([start(), start()]);
    expect(both.map((each) => each.status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("is not fooled by pids that were given to other programs", async () => {
    const first = await start();
    await first.stop();
    // Both files name a live process: this one, which began at another time and is no Postgres.
    writeFileSync(join(directory, "rialto.lock"), JSON.stringify({ pid: process.pid, identity: "another", lock: "x" }));
    const pidFile = join(state().folder, "data", "postmaster.pid");
    writeFileSync(pidFile, `${process.ppid}\n${dirname(pidFile)}\n1\n5432\n\n127.0.0.1\n 1 1\nready\n`);
    expect((await start()).adopted).toBe(false);
  });

  it("makes the cluster again that a killed first start left half made", async () => {
    const first = await start();
    await first.stop();
    rmSync(join(state().folder, "initialised"));
    rmSync(join(state().folder, "data", "global"), { recursive: true });
    await query((await start()).url, "select 1");
  });

  it("says that the port it was given is in use", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(start({ port })).rejects.toThrow(`Port ${port} of the embedded Postgres is in use.`);
    await new Promise((resolve) => taken.close(resolve));
    expect(new URL((await start({ port })).url).port).toBe(String(port));
  });

  it("runs in a folder that others cannot enter, as root's home is", async () => {
    chmodSync(directory, 0o700);
    const server = await start();
    await query(server.url, "create table kept as select 1 as n");
    await server.stop();
    expect(await query((await start()).url, "select n from kept")).toEqual([{ n: 1 }]);
    // Root's server runs as another user, and so its data is elsewhere.
    expect(state().folder.startsWith(directory)).toBe(process.getuid?.() !== 0);
  });

  it("refuses to run in production", async () => {
    vi.stubEnv("NODE_ENV", "production");
    await expect(startEmbeddedPostgres({ directory, log: quietLog })).rejects.toBeInstanceOf(EmbeddedPostgresFailed);
    vi.unstubAllEnvs();
  });
});
