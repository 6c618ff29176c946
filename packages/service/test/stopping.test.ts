import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProductService } from "@rialto/contracts";
import { serviceTokenHeader } from "@rialto/rpc";
import { freePort, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../src/config/config.ts";
import { openIdentity } from "../src/identity/identity.ts";
import { stopTimesOf } from "../src/process/stop-times.ts";

const main = new URL("./fixture/slow-product.ts", import.meta.url).pathname;
const path = `/${ProductService.typeName}/GetProduct`;

let database: TestDatabase;
let folder: string;
const open: (() => void)[] = [];

beforeAll(async () => {
  database = await testDatabase({ schemas: [] });
  folder = await mkdtemp(join(tmpdir(), "rialto-stopping-"));
});

afterEach(() => {
  for (const close of open.splice(0)) close();
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await database.close();
});

describe("a process that gets SIGTERM", () => {
  it("has 5 s of still accepting, 20 s for what runs, and 25 s to exit, with the drain of production", () => {
    const { drainSeconds } = readConfig({ NODE_ENV: "production" });
    expect(stopTimesOf({ drainSeconds })).toEqual({ drainMs: 5_000, workMs: 20_000, exitMs: 25_000 });
  });

  it("is unready and says so on every connection at once, answers on, ends what is too slow, and exits by itself", async () => {
    const { child, port, ended } = await start({ RIALTO_DRAIN_SECONDS: "2" });
    const headers = await headersFor();
    const [own, idle] = [keepAlive(), keepAlive()];
    const http1 = (agent: Agent, ms: number) => post(port, agent, headers, idOf(ms));
    expect(await http1(own, 0)).toMatchObject({ status: 200, connection: "keep-alive" });
    expect(await http1(idle, 0)).toMatchObject({ status: 200 });
    const session = connectTo(port);
    expect(await askHttp2(session, headers, idOf(0))).toBe(200);
    const slower = { http1: http1(keepAlive(), 6_000), http2: askHttp2(connectTo(port), headers, idOf(6_001)) };
    const tooSlow = { http1: http1(keepAlive(), 60_000), http2: askHttp2(connectTo(port), headers, idOf(60_001)) };
    for (const ms of [6_000, 6_001, 60_000, 60_001])
      await expect.poll(() => child.said()).toContain(`began ${idOf(ms)}`);

    const goneAway = once(session, "goaway");
    child.process.kill("SIGTERM");
    expect((await goneAway).slice(0, 2)).toEqual([0, 2 ** 31 - 1]);
    const unready = await fetch(`http://127.0.0.1:${port}/ready`);
    expect({ status: unready.status, body: await unready.json() }).toEqual({
      status: 503,
      body: { status: "not ready", stopping: true },
    });
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    // It still accepts: on a connection that was open, and on new ones.
    expect(await http1(own, 0)).toEqual({ status: 200, connection: "close" });
    expect(await http1(keepAlive(), 0)).toEqual({ status: 200, connection: "close" });
    expect(await askHttp2(connectTo(port), headers, idOf(0))).toBe(200);

    await expect.poll(() => fetch(`http://127.0.0.1:${port}/health`).catch(() => "refused")).toBe("refused");
    expect((await slower.http1).status).toBe(200);
    expect(await slower.http2).toBe(200);
    expect((await tooSlow.http1).status).toBe(503);
    expect(await tooSlow.http2).toBe(503);
    expect(await ended).toEqual([0, null]);
    expect(child.said()).not.toContain("stop timed out");
  });

  it("does not wait for those that keep a connection and ask nothing", async () => {
    const { child, port, ended } = await start({ RIALTO_DRAIN_SECONDS: "0" });
    const agent = keepAlive();
    expect(await post(port, agent, await headersFor(), idOf(0))).toMatchObject({ status: 200 });
    const session = connectTo(port);
    await once(session, "connect");
    child.process.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });
});

/** The id of a product that takes so many milliseconds to read. */
function idOf(ms: number): string {
  return `${String(ms).padStart(8, "0")}-0000-7000-8000-000000000000`;
}

/** Starts the process and waits until it is ready. */
async function start(env: Readonly<Record<string, string>>) {
  const port = await freePort();
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: database.adminUrl,
      RIALTO_DATA_DIR: folder,
      PORT: String(port),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  open.push(() => child.kill("SIGKILL"));
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(String(chunk)));
  const said = () => output.join("");
  await expect.poll(async () => (isOver(child) ? said() : await statusOf(`http://127.0.0.1:${port}/ready`))).toBe(200);
  return { port, child: { process: child, said }, ended: once(child, "exit") };
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function statusOf(url: string): Promise<number | undefined> {
  return await fetch(url).then(
    ({ status }) => status,
    () => undefined,
  );
}

/** The headers of a call of the gateway, which shares the keys in the data folder. */
async function headersFor(): Promise<Record<string, string>> {
  const identity = await openIdentity(readConfig({ RIALTO_DATA_DIR: folder }));
  const token = await identity.tokensOf("gateway").for("product");
  return { "content-type": "application/json", "connect-timeout-ms": "60000", [serviceTokenHeader]: token };
}

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  open.push(() => agent.destroy());
  return agent;
}

function connectTo(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  open.push(() => session.destroy());
  return session;
}

/** Asks over the agent's connection; what the answer says of the next request on it. */
function post(
  port: number,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  id: string,
): Promise<{ readonly status: number | undefined; readonly connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, method: "POST", agent, headers }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode, connection: response.headers.connection }));
    });
    asked.once("error", reject);
    asked.end(JSON.stringify({ id }));
  });
}

async function askHttp2(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  id: string,
): Promise<number> {
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  stream.end(JSON.stringify({ id }));
  const [head] = await once(stream, "response");
  stream.resume();
  await once(stream, "end");
  return Number(head[":status"]);
}
