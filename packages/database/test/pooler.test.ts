import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { DatabaseUnreachable, provision } from "../src/index.ts";
import { quietLog } from "./support/quiet-log.ts";
import { emptyDatabase, migrations, secret } from "./support/things.ts";

const isInstalled = spawnSync("pgbouncer", ["--version"]).status === 0;
if (!isInstalled) process.stderr.write("pgbouncer is not installed: tests of a pooler are left out\n");

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.skipIf(!isInstalled)("a pooler in front of Postgres", () => {
  it.each([
    ["refuses what a session sets", ""],
    ["drops what a session sets", "idle_in_transaction_session_timeout,search_path,lock_timeout,statement_timeout"],
  ])("is refused at the start in one line where it %s", async (_, ignored) => {
    const { adminUrl, drop } = await emptyDatabase();
    closing.push(drop);
    const pooled = await pgbouncer(adminUrl, ignored);
    const start = provision({ adminUrl: pooled, secret, schemas: [{ name: "thing", migrations }], log: quietLog });
    await expect(start).rejects.toBeInstanceOf(DatabaseUnreachable);
    await expect(start).rejects.toThrow(
      /^A pooler \(pgbouncer\) stands before Postgres[^\n]*name the server itself[^\n]*$/,
    );
  });
});

/** Runs a pgbouncer in transaction mode in front of the server; the URL by which it is reached. */
async function pgbouncer(adminUrl: string, ignored: string): Promise<string> {
  const server = new URL(adminUrl);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "rialto-test-pgbouncer-"));
  chmodSync(folder, 0o755);
  const settings = [
    "[databases]",
    `* = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    ...(ignored === "" ? [] : [`ignore_startup_parameters = ${ignored}`]),
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), settings.join("\n"), { mode: 0o644 });
  // It does not run as root.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn("pgbouncer", [join(folder, "pgbouncer.ini")], { ...user, stdio: "ignore" });
  closing.push(async () => {
    await end(child);
    rmSync(folder, { recursive: true });
  });
  server.port = String(port);
  await expect.poll(() => answers(port), { timeout: 20_000 }).toBe(true);
  return server.href;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
