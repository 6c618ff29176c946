import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AuthService, OrderService } from "@rialto/contracts";
import { freePort } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { exitCodeOf } from "../src/operator/exit-codes.ts";
import { openRestClient } from "./rest-client.ts";
import { admin, oneProcess, type Topology } from "./topology.ts";

const command = new URL("../src/operator/main.ts", import.meta.url).pathname;
const getOrder = "rialto.order.v1.OrderService/GetOrder";

let folder: string;
const open: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-operator-"));
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
  await rm(folder, { recursive: true });
});

/** Runs the command as a user of the machine whose home is the test's folder. */
async function rialto(args: readonly string[], input = "") {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [command, ...args], { env: { HOME: folder, PATH, NODE_COMPILE_CACHE } });
  child.stdin.end(input);
  const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { stdout, stderr, exitCode: Number(exitCode) };
}
const sessionFile = () => join(folder, ".config/rialto/sessions.json");
const logInAsAdmin = (url: string, password = admin.password) =>
  rialto(["login", "--url", url, "--email", admin.email], `${password}\n`);

describe("an operator at a running system", () => {
  let topology: Topology;
  let orderId: string;
  let declinedId: string;
  beforeAll(async () => {
    topology = await oneProcess("postgres", { OTEL_SDK_DISABLED: "false", RIALTO_LOG_LEVEL: "info" });
    const client = await openRestClient(topology);
    const { token } = await client.customer();
    const product = await client.product({ stock: 5 });
    const { id } = await client.order(token, product);
    orderId = id;
    const declined = await client.order(token, product, { card: "pm_test_declined" });
    declinedId = declined.id;
    for (const one of [orderId, declinedId]) await client.settled(token, one);
  });
  afterAll(() => topology.stop());

  it("logs in with a password from standard input, and calls a method by reflection", async () => {
    const login = await logInAsAdmin(topology.url);
    expect(login).toMatchObject({ exitCode: 0, stderr: "" });
    const { mode } = await stat(sessionFile());
    expect((mode & 0o777).toString(8)).toBe("600");
    expect(`${login.stdout}${await readFile(sessionFile(), "utf8")}`).not.toContain(admin.password);
    // The gateway is that of the login.
    const called = await rialto(["call", getOrder, JSON.stringify({ id: orderId })]);
    expect(called).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(called.stdout)).toMatchObject({ order: { id: orderId } });
    expect(called.stdout.split("\n").length).toBeGreaterThan(5);
    const line = await rialto(["call", getOrder, "-", "--json"], JSON.stringify({ id: orderId }));
    expect([line.exitCode, line.stdout.trimEnd().split("\n").length]).toEqual([0, 1]);
    expect(JSON.parse(line.stdout)).toEqual(JSON.parse(called.stdout));
  });

  it("is told why a call was refused, for a person and for a script", async () => {
    await logInAsAdmin(topology.url);
    const nowhere = JSON.stringify({ id: "00000000-0000-7000-8000-000000000000" });
    const refused = await rialto(["call", getOrder, nowhere]);
    expect(refused).toMatchObject({ exitCode: 4, stdout: "" });
    expect(refused.stderr).toMatch(/^NOT_FOUND ORDER_NOT_FOUND: /);
    const { stderr, exitCode } = await rialto(["call", getOrder, nowhere, "--json"]);
    expect(exitCode).toBe(4);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "NOT_FOUND", reason: "ORDER_NOT_FOUND" } });
    const invalid = await rialto(["call", getOrder, '{"id": "1"}']);
    expect(invalid.exitCode).toBe(4);
    expect(invalid.stderr).toMatch(/^INVALID_ARGUMENT .*\n {2}id: /);
  });

  it("needs a login where the method does, and the right password for it", async () => {
    const anonymous = await rialto(["call", getOrder, JSON.stringify({ id: orderId }), "--url", topology.url]);
    expect(anonymous).toMatchObject({ exitCode: 3, stdout: "", stderr: expect.stringMatching(/^UNAUTHENTICATED /) });
    const products = "rialto.product.v1.ProductService/ListProducts";
    expect(await rialto(["call", products, "--url", topology.url])).toMatchObject({ exitCode: 0 });
    const wrong = await logInAsAdmin(topology.url, "not the password");
    expect(wrong).toMatchObject({ exitCode: 3, stdout: "" });
    expect(wrong.stderr).toContain("CREDENTIALS_INVALID");
    expect(wrong.stderr).not.toContain("not the password");
  });

  it("is told which services and methods there are", async () => {
    const service = await rialto(["call", "rialto.order.v1.Order/GetOrder", "--url", topology.url]);
    expect(service).toMatchObject({ exitCode: 2 });
    expect(service.stderr).toMatch(/There are: .*rialto\.order\.v1\.OrderService/);
    const method = await rialto(["call", "rialto.order.v1.OrderService/Get", "--url", topology.url]);
    expect(method).toMatchObject({ exitCode: 2 });
    expect(method.stderr).toMatch(/It has: .*GetOrder/);
  });

  it("sees what was done for an order, and why it went wrong", async () => {
    await logInAsAdmin(topology.url);
    const mailed = async () => {
      const printed = await rialto(["traces", declinedId]);
      expect(printed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(printed.stdout).toMatch(/^trace [0-9a-f]{32} {2}\d{4}-.* spans, \d+ FAILED\n/);
      expect(printed.stdout).toMatch(/^ {2}POST \/api\/orders {2}\[gateway\]/m);
      expect(printed.stdout).toMatch(/^ {8}.*process order\.placed {2}\[order\]/m);
      expect(printed.stdout).toMatch(/^ +checkout authorize-payment {2}\[order\] .*FAILED PAYMENT_DECLINED/m);
      expect(printed.stdout).toMatch(/^ +\| info {2}\[gateway\] {2}request /m);
      expect(printed.stdout).toMatch(/send mail {2}\[notification\]/);
    };
    await vi.waitFor(mailed, { timeout: 60_000, interval: 1_000 });
    const { stdout, exitCode } = await rialto(["traces", orderId, "--json"]);
    const [trace, ...others] = stdout.trimEnd().split("\n");
    expect([exitCode, others]).toEqual([0, []]);
    const { traceId, spans } = JSON.parse(trace ?? "");
    expect(spans.length).toBeGreaterThan(10);
    const request = spans.find(({ name }: { name: string }) => name === "POST /api/orders").attributes;
    for (const id of [traceId, traceId.toUpperCase(), request["rialto.request.id"]])
      expect((await rialto(["traces", id])).stdout).toContain(`trace ${traceId}`);
  });

  it("is told that nothing is kept of an id, and that a login is needed", async () => {
    const nothing = "00000000-0000-7000-8000-000000000000";
    const anonymous = await rialto(["traces", nothing, "--url", topology.url]);
    expect(anonymous).toMatchObject({ exitCode: 3, stdout: "", stderr: expect.stringMatching(/^UNAUTHENTICATED /) });
    await logInAsAdmin(topology.url);
    const none = await rialto(["traces", nothing]);
    expect(none).toMatchObject({
      exitCode: 4,
      stdout: "",
      stderr: expect.stringMatching(/no order, request or trace/),
    });
    const json = await rialto(["traces", "f".repeat(32), "--json"]);
    expect([json.exitCode, Object.keys(JSON.parse(json.stderr).error)]).toEqual([4, ["message"]]);
    for (const id of ["", "not an id"]) expect(await rialto(["traces", id])).toMatchObject({ exitCode: 2, stdout: "" });
  });

  it("logs out, also at the gateway", async () => {
    await logInAsAdmin(topology.url);
    const [session] = Object.values<{ accessToken: string }>(JSON.parse(await readFile(sessionFile(), "utf8")));
    expect(await rialto(["logout"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(await readFile(sessionFile(), "utf8"))).toEqual({});
    expect(await rialto(["logout", "--url", topology.url])).toMatchObject({ exitCode: 3 });
    const withToken = () =>
      fetch(`${topology.url}/api/orders/${orderId}`, { headers: { authorization: `Bearer ${session?.accessToken}` } });
    await expect.poll(async () => (await withToken()).status).toBe(401);
  });
});

/** A gateway without reflection, whose methods the test says. */
async function standIn(routes: (router: ConnectRouter) => void): Promise<string> {
  const server = http2.createServer(connectNodeAdapter({ routes }));
  server.on("session", (session) => open.push(() => session.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => void server.close());
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return `http://127.0.0.1:${port}`;
}

describe("a call to a gateway", () => {
  it("is made by the contract where the gateway serves no reflection, and says so", async () => {
    const keys: (string | null)[] = [];
    const url = await standIn((router) =>
      router.service(OrderService, {
        getOrder: ({ id }, { requestHeader }) => {
          keys.push(requestHeader.get("idempotency-key"));
          return { order: { id } };
        },
      }),
    );
    const called = await rialto(["call", getOrder, '{"id": "7"}', "--url", url, "--key", "again"]);
    expect(called).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/serves no reflection/) });
    expect([JSON.parse(called.stdout), keys]).toMatchObject([{ order: { id: "7" } }, ["again"]]);
    const unknown = await rialto(["call", "rialto.order.v1.Nothing/Get", "--url", url]);
    expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/rialto\.order\.v1\.OrderService/) });
  });

  it("renews a session whose access token is about to expire, once", async () => {
    const tokens: (string | null)[] = [];
    const spent: string[] = [];
    const url = await standIn((router) => {
      router.service(AuthService, {
        login: () => ({ accessToken: "first", refreshToken: "r1", expiresIn: 1 }),
        refreshToken: ({ refreshToken }) => {
          spent.push(refreshToken);
          return { accessToken: "second", refreshToken: "r2", expiresIn: 900 };
        },
      });
      router.service(OrderService, {
        getOrder: (_request, { requestHeader }) => {
          tokens.push(requestHeader.get("authorization"));
          return {};
        },
      });
    });
    await logInAsAdmin(url);
    for (let n = 0; n < 2; n += 1) expect(await rialto(["call", getOrder])).toMatchObject({ exitCode: 0 });
    expect([tokens, spent]).toEqual([["Bearer second", "Bearer second"], ["r1"]]);
  });

  it("ends with a code that tells a script what to do", () => {
    const codeOf = (code: Code) => exitCodeOf(new ConnectError("no", code));
    expect([Code.Unauthenticated].map(codeOf)).toEqual([3]);
    expect([Code.PermissionDenied, Code.InvalidArgument, Code.FailedPrecondition].map(codeOf)).toEqual([4, 4, 4]);
    expect([Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded].map(codeOf)).toEqual([5, 5, 5]);
    expect([Code.Internal, Code.Unknown].map(codeOf)).toEqual([6, 6]);
    expect(exitCodeOf(new TypeError("x is not a function"))).toBe(1);
  });

  it("ends with 5 where nobody answers, and names the gateway", async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const called = await rialto(["call", getOrder, "--url", nowhere]);
    expect(called.exitCode).toBe(5);
    expect(called.stderr).toContain(`UNAVAILABLE: no gateway answers at ${nowhere}: connect ECONNREFUSED`);
    const url = await standIn((router) =>
      router.service(OrderService, { getOrder: () => new Promise(() => undefined) }),
    );
    expect(await rialto(["call", getOrder, "--url", url, "--timeout", "1"])).toMatchObject({ exitCode: 5 });
  });

  it("takes no secret on the command line", async () => {
    const url = await standIn((router) => router.service(AuthService, { login: () => ({ accessToken: "t" }) }));
    const request = JSON.stringify({ email: "a@b.example", password: "correct horse" });
    const visible = await rialto(["call", "rialto.user.v1.AuthService/Login", request, "--url", url]);
    expect(visible).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/password is a secret/) });
    expect(visible.stderr).not.toContain("correct horse");
    const piped = await rialto(["call", "rialto.user.v1.AuthService/Login", "-", "--url", url], request);
    expect(piped).toMatchObject({ exitCode: 0 });
  });

  it.each([
    [["call"]],
    [["call", "GetOrder"]],
    [["call", getOrder, "{"]],
    [["call", getOrder, '{"no": 1}']],
    [["call", getOrder, "--url", "localhost"]],
    [["nothing"]],
    [["login"]],
  ])("that is %j is refused as a wrong use", async (args) => {
    const url = await standIn((router) => router.service(OrderService, {}));
    const given = args.includes("--url") ? args : [...args, ...(args[0] === "nothing" ? [] : ["--url", url])];
    expect(await rialto(given)).toMatchObject({ exitCode: 2, stdout: "" });
  });

  it("uses no session that others may read", async () => {
    const url = await standIn((router) => {
      router.service(AuthService, { login: () => ({ accessToken: "t", refreshToken: "r", expiresIn: 900 }) });
      router.service(OrderService, { getOrder: () => ({}) });
    });
    await logInAsAdmin(url);
    await chmod(sessionFile(), 0o644);
    expect(await rialto(["call", getOrder])).toMatchObject({ exitCode: 3, stderr: expect.stringMatching(/chmod 600/) });
  });
});
