import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { createLogger } from "@rialto/telemetry";
import { freePort, redisForTests } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

const main = new URL("../src/main.ts", import.meta.url).pathname;
const root = new URL("../../../", import.meta.url).pathname;
const started = new Set<ChildProcess>();
const redis = await redisForTests();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-start-"));
  // Keeps the data of Postgres in this folder when root runs the test.
  await chmod(folder, 0o755);
});

afterEach(async () => {
  for (const child of started) await end(child, "SIGTERM");
});

afterAll(async () => {
  await redis?.close();
  await rm(folder, { recursive: true, force: true });
});

describe("the first start", () => {
  it("says that it is ready, who the admin is and what to do next", async () => {
    const system = await startReady();
    expect(system.text).toMatch(new RegExp(`^Rialto is ready on http://localhost:${system.port}$`, "m"));
    const [, email, password] = /Admin\s+(\S+), password (\S+)/.exec(system.text) ?? [];
    expect(await login(system.port, { email, password })).toMatchObject({ user: { role: "ADMIN" } });
    expect(system.text).toContain(join(folder, "data", "mail"));
    expect(system.text).toContain("curl -s $RIALTO/api/orders");
    expect(system.log).toContain("embedded Postgres runs");
    expect(system.log).not.toContain(password);
    expect(await countProducts(system.port)).toBeGreaterThanOrEqual(20);
  });
});

describe("the next start", () => {
  it("finds what was there, and shows no password again", async () => {
    const first = await startReady();
    await signUp(first.port, "kept@example.com");
    await end(first.child, "SIGTERM");
    const next = await startReady();
    expect(await login(next.port, { email: "kept@example.com", password: customerPassword })).toHaveProperty(
      "accessToken",
    );
    expect(next.text).not.toMatch(/, password \S/);
  });

  it("refuses a session that ended before it, from its first request on", async () => {
    const first = await startReady();
    await signUp(first.port, "gone@example.com");
    const { accessToken } = (await login(first.port, { email: "gone@example.com", password: customerPassword })) as {
      readonly accessToken: string;
    };
    expect(await statusWith(accessToken, first.port, "POST", "/api/auth/logout")).toBe(200);
    await end(first.child, "SIGTERM");
    const next = await startReady();
    expect(await statusWith(accessToken, next.port, "GET", "/api/orders")).toBe(401);
  });

  it("just works after kill -9, and finds the Postgres that lived on", async () => {
    const killed = await startReady();
    await signUp(killed.port, "survivor@example.com");
    await end(killed.child, "SIGKILL");
    const next = await startReady();
    expect(await login(next.port, { email: "survivor@example.com", password: customerPassword })).toHaveProperty(
      "accessToken",
    );
  });
});

describe("the end", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("comes in order on %s, with nothing left running", async (signal) => {
    const system = await startReady();
    const from = performance.now();
    expect(await end(system.child, signal)).toBe(0);
    process.stdout.write(`${signal}: ended after ${Math.round(performance.now() - from)} ms\n`);
    await expect(fetch(`http://127.0.0.1:${system.port}/health`)).rejects.toThrow();
    // Postgres has ended too: another one uses its folder without a takeover.
    const postgres = await startEmbeddedPostgres({ directory: join(folder, "data", "postgres"), log: silent });
    expect(postgres.adopted).toBe(false);
    await postgres.stop();
  });
});

describe("npm start", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)("takes the system with it when npm is ended by %s", async (signal) => {
    const system = await startReady("npm", ["start"]);
    system.child.kill(signal);
    while (await answers(system.port)) await sleep(50);
    const next = await startReady();
    expect(next.text).toContain("Rialto is ready");
  });
});

describe("what keeps it from starting is one clear line, and the exit code is 1:", () => {
  it("a port that is taken", async () => {
    const taken = createServer().listen(0);
    await once(taken, "listening");
    const port = portOf(taken);
    expect(await failure({ PORT: String(port) })).toMatch(new RegExp(`^rialto: Port ${port} is in use.*PORT.*\\n$`));
    taken.close();
  });

  it("a data folder that a live one uses", async () => {
    await startReady();
    expect(await failure({})).toMatch(/^rialto: The data folder \S+ is in use by a running Rialto.*\n$/);
  });

  it("no DATABASE_URL in an installation without the embedded Postgres", async () => {
    const said = await failure({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(withoutPackage)}` });
    expect(said).toMatch(/^rialto: DATABASE_URL must be set: this installation is without the embedded Postgres.*\n$/);
  });

  it("a DATABASE_URL where nobody listens", async () => {
    const url = `postgres://postgres:secret@127.0.0.1:${await freePort()}/postgres`;
    const said = await failure({ DATABASE_URL: url });
    expect(said).toMatch(/^rialto: .*DATABASE_URL.*\n$/);
    expect(said).not.toContain("secret");
  });

  it("a DATABASE_URL with a wrong password", async () => {
    const postgres = await startEmbeddedPostgres({ directory: join(folder, "other-postgres"), log: silent });
    const url = new URL(postgres.url);
    url.password = "wrong-one";
    const said = await failure({ DATABASE_URL: url.href });
    await postgres.stop();
    expect(said).toMatch(/^rialto: .*DATABASE_URL.*password.*\n$/);
    expect(said).not.toContain("wrong-one");
  });

  it("a Postgres that takes fewer connections than the process may open", async () => {
    const settings = { max_connections: "20" };
    const postgres = await startEmbeddedPostgres({ directory: join(folder, "small-postgres"), log: silent, settings });
    const said = await failure({ DATABASE_URL: postgres.url });
    await postgres.stop();
    expect(said).toMatch(/^rialto: Postgres takes 17 connections .* may open 81: set max_connections to 91 .*\n$/);
  });

  it("a data folder that cannot be written", async () => {
    await writeFile(join(folder, "a-file"), "");
    const said = await failure({ RIALTO_DATA_DIR: join(folder, "a-file", "data") });
    expect(said).toMatch(/^rialto: \S+a-file\S* cannot be created or written \(ENOTDIR\): set RIALTO_DATA_DIR .*\n$/);
  });

  it("an address that this machine does not have", async () => {
    expect(await failure({ RIALTO_HOST: "192.0.2.1" })).toMatch(/^rialto: RIALTO_HOST names an address .*\n$/);
  });

  it.skipIf(redis === undefined)("a Redis that refuses the password", async () => {
    const said = await failure({ REDIS_URL: `redis://somebody:hunter2@127.0.0.1:${redis?.port}` });
    expect(said).toMatch(/^rialto: REDIS_URL: Redis refuses the user or the password.*\n$/);
    expect(said).not.toContain("hunter2");
  });

  it("variables that are wrong, a line each", async () => {
    const said = await failure({ PORT: "eighty", REDIS_URL: "localhost", RIALTO_DEMO: "perhaps" });
    expect(said.split("\n").map((line) => line.split(" ")[1])).toEqual(["PORT", "REDIS_URL", "RIALTO_DEMO", undefined]);
  });

  it("a production without its secrets", async () => {
    const said = await failure({ NODE_ENV: "production" });
    expect(said).toContain("rialto: DATABASE_URL must be set");
    expect(said).toContain("rialto: RIALTO_SECRET must be set");
  });
});

const customerPassword = "a long enough password";
const silent = createLogger({ service: "test", level: "silent" });

interface System {
  readonly child: ChildProcess;
  readonly port: number;
  /** The text for the user: standard output without the JSON lines of the log. */
  readonly text: string;
  /** The log's JSON lines until then. */
  readonly log: string;
}

/** Starts the real process on a free port with the test's data folder. Waits until it reports that it is ready. */
async function startReady(command = process.execPath, args: readonly string[] = [main]): Promise<System> {
  const port = await freePort();
  const { child, output, exited } = run({ PORT: String(port) }, command, args);
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => {
      if (/^Rialto is ready[\s\S]*\/api\/orders\/\$ORDER/m.test(output.out)) resolve();
    });
    void exited.then((code) => reject(new Error(`ended with ${code}: ${output.err}${output.out}`)));
  });
  const [log, text] = partition(output.out.split("\n"), (line) => line.startsWith("{"));
  return { child, port, text: text.join("\n"), log: log.join("\n") };
}

/** Makes Node answer as where `npm ci --omit=dev` has not installed the package. */
const withoutPackage = `
  import { registerHooks } from "node:module";
  registerHooks({
    resolve(name, context, next) {
      if (name !== "@rialto/embedded-postgres") return next(name, context);
      throw Object.assign(new Error("Cannot find package '" + name + "'"), { code: "ERR_MODULE_NOT_FOUND" });
    },
  });`;

/** Starts it in a way that fails, and returns its standard error. */
async function failure(env: Readonly<Record<string, string>>): Promise<string> {
  const { output, exited } = run({ PORT: String(await freePort()), ...env });
  expect(await exited, output.out).toBe(1);
  expect(output.out).not.toContain("Rialto is ready");
  return output.err;
}

function run(env: Readonly<Record<string, string>>, command = process.execPath, args: readonly string[] = [main]) {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(RIALTO_|PORT$|REDIS_URL|DATABASE_URL|SMTP_URL|NODE_ENV|VITEST|npm_|INIT_CWD)/.test(name),
  );
  const child = spawn(command, args, {
    cwd: root,
    env: {
      ...Object.fromEntries(inherited),
      RIALTO_DATA_DIR: join(folder, "data"),
      RIALTO_ARGON2_COST: "test",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.add(child);
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.err += text;
  });
  // "close" comes after the last of the output.
  const exited = once(child, "close").then(([code]: unknown[]) => {
    started.delete(child);
    return code;
  });
  return { child, output, exited };
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<unknown> {
  const exited = once(child, "close");
  child.kill(signal);
  const [code] = await exited;
  return code;
}

function partition(lines: readonly string[], isFirst: (line: string) => boolean): [string[], string[]] {
  return [lines.filter(isFirst), lines.filter((line) => !isFirst(line))];
}

async function post(port: number, path: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return await answer.json();
}

/** The status of a request by this access token. */
async function statusWith(token: string, port: number, method: "GET" | "POST", path: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = method === "POST" ? { body: "{}" } : {};
  return (await fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...body })).status;
}

async function signUp(port: number, email: string): Promise<void> {
  expect(await post(port, "/api/users", { email, name: "Ada", password: customerPassword })).toMatchObject({ email });
}

function login(
  port: number,
  credentials: { readonly email?: string | undefined; readonly password?: string | undefined },
) {
  return post(port, "/api/auth/login", credentials);
}

async function answers(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/health`).then(
    () => true,
    () => false,
  );
}

async function countProducts(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/products?pageSize=50`);
  const { products } = (await answer.json()) as { products: unknown[] };
  return products.length;
}

function portOf(server: ReturnType<typeof createServer>): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
