import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AuthService, OrderEventSchema } from "@rialto/contracts";
import { subscribe } from "@rialto/events";
import { createEndpoint, createTokenVerifier, type Handlers, listen, serve } from "@rialto/rpc";
import { freePort, movingName, quietLogger, redisForTests, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { readConfig } from "../src/config/config.ts";
import { defineService } from "../src/define-service.ts";
import { openIdentity } from "../src/identity/identity.ts";
import { type Running, runServices } from "../src/process/run-services.ts";

let database: TestDatabase;
let folder: string;
const running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  database = await testDatabase({ schemas: [] });
});

afterAll(async () => {
  await database.close();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-health-"));
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await rm(folder, { recursive: true });
});

const product = defineService({
  name: "product",
  migrations: new URL("./fixture/product-migrations/", import.meta.url),
  calls: {},
  publishes: ["product.changed"],
  rpc: () => [],
});

/** A service that publishes to the other one and subscribes to it. Its schema has the tables of both fixtures. */
async function mutual(name: "product" | "order") {
  const migrations = join(folder, `${name}-migrations`);
  await cp(new URL("./fixture/product-migrations/", import.meta.url), migrations, { recursive: true });
  const read = async (of: string) =>
    await readFile(new URL(`./fixture/${of}-migrations/0000_fixture.sql`, import.meta.url), "utf8");
  const subscriber = (await read("order")).replace(/CREATE TABLE "order"\."lease" \([^;]*;/, "select 1;");
  const both = `${await read("product")}--> statement-breakpoint\n${subscriber}`;
  await writeFile(join(migrations, "0000_fixture.sql"), both.replaceAll(/"(product|order)"\./g, `"${name}".`));
  const other = name === "product" ? "order" : "product";
  return defineService({
    name,
    migrations: pathToFileURL(`${migrations}/`),
    calls: {},
    publishes: [`${name}.changed`],
    rpc: () => [],
    subscriptions: () => [
      subscribe(`${name}-watch`, `${other}.*`, OrderEventSchema, { handle: async () => undefined }),
    ],
  });
}

/** An order service that wants to hear of products, under a name that no other test has registered. */
const orderWith = (subscription: string) =>
  defineService({
    name: "order",
    migrations: new URL("./fixture/order-migrations/", import.meta.url),
    calls: {},
    rpc: () => [],
    subscriptions: () => [subscribe(subscription, "product.*", OrderEventSchema, { handle: async () => undefined })],
  });

describe("a service that runs alone", () => {
  it("is not ready while a publisher of its subscriptions is away, and names it; it is once it is registered there", async () => {
    const port = await freePort();
    const one = await start(orderWith("stock-watch"), { RIALTO_PRODUCT_URL: `http://127.0.0.1:${port}` });
    expect(await ask(one, "/ready")).toEqual({
      status: 503,
      body: { status: "not ready", waiting: ["registration of stock-watch with product"] },
    });
    expect(await servingStatus(one)).toBe("NOT_SERVING");
    expect(await ask(one, "/health")).toEqual({ status: 200, body: { status: "ok" } });
    expect(await registered()).not.toContain("stock-watch");
    await start(product, { PORT: String(port) });
    await expect.poll(() => ask(one, "/ready"), patience).toEqual({ status: 200, body: { status: "ok" } });
    expect(await servingStatus(one)).toBe("SERVING");
    expect(await registered()).toContain("stock-watch");
  });

  it.each([
    ["product", "order"],
    ["order", "product"],
  ] as const)(
    "starts from nothing beside one that it subscribes to and that subscribes to it: %s first, then %s",
    async (first, second) => {
      const ports = { product: await freePort(), order: await freePort() };
      const urls = {
        RIALTO_PRODUCT_URL: `http://127.0.0.1:${ports.product}`,
        RIALTO_ORDER_URL: `http://127.0.0.1:${ports.order}`,
      };
      const apart = await testDatabase({ schemas: [] });
      const begin = async (name: "product" | "order") =>
        await start(await mutual(name), { ...urls, DATABASE_URL: apart.adminUrl, PORT: String(ports[name]) });
      const early = await begin(first);
      expect(await ask(early, "/ready")).toMatchObject({
        status: 503,
        body: { waiting: [`registration of ${first}-watch with ${second}`] },
      });
      const late = await begin(second);
      for (const one of [early, late]) await expect.poll(async () => (await ask(one, "/ready")).status).toBe(200);
      await Promise.all(running.splice(0).map((one) => one.stop()));
      await apart.close();
    },
  );

  it("stays ready when its Redis is lost, and shows that", async () => {
    const redis = await redisForTests();
    if (redis === undefined) return;
    const name = await movingName(Number(new URL(redis.url).port));
    const one = await start(product, { REDIS_URL: `redis://127.0.0.1:${name.port}` });
    const read = async () => (await ask(one, "/health/services")).body;
    await expect.poll(read, patience).toMatchObject({ jobs: "ok" });
    await name.close();
    await expect.poll(read, patience).toMatchObject({ status: "degraded", jobs: "unreachable" });
    expect((await ask(one, "/ready")).status).toBe(200);
    await one.stop();
    await redis.close();
  });

  it("stays ready when a publisher goes away after that", async () => {
    const publisher = await start(product);
    const one = await start(orderWith("price-watch"), { RIALTO_PRODUCT_URL: `http://127.0.0.1:${publisher.port}` });
    await expect.poll(async () => (await ask(one, "/ready")).status, patience).toBe(200);
    await publisher.stop();
    expect((await ask(one, "/ready")).status).toBe(200);
  });

  it("is not ready any more when it stops, while it lets what is at work end", async () => {
    const one = await start(product);
    const socket = connect(one.port ?? 0, "127.0.0.1");
    let heard = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
    });
    // The second request is begun, so the connection stays; it is asked when the service has been told to stop.
    socket.write("GET /ready HTTP/1.1\r\nhost: x\r\n\r\nGET /ready HTTP/1.1\r\nhost: x\r\n");
    await expect.poll(() => heard, patience).toContain('{"status":"ok"}');
    const stopped = one.stop();
    expect(await statusByEndpoint(one)).toBe("NOT_SERVING");
    socket.end("\r\n");
    await once(socket, "close");
    expect(heard).toMatch(/ 200 OK[\s\S]* 503 Service Unavailable[\s\S]*\{"status":"not ready","stopping":true\}/);
    await stopped;
  });

  it("says that the list of ended sessions is stale when the user service is gone, and stays ready", async () => {
    const user = await startUserService();
    const one = await start(product, { RIALTO_USER_URL: `http://127.0.0.1:${user.port}` });
    const read = async () => (await ask(one, "/health/services")).body;
    await expect.poll(read, patience).toEqual({
      status: "ok",
      services: [{ service: "user", replicas: [{ replica: 1, breaker: "closed", lastError: null }] }],
      jobs: "ok",
      endedSessions: { fresh: true, ageSeconds: expect.any(Number) },
    });
    await user.close();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    expect(await read()).toMatchObject({
      status: "degraded",
      endedSessions: { fresh: false, ageSeconds: sixtyOrMore },
    });
    expect((await ask(one, "/ready")).status).toBe(200);
  });

  it("says that it never had that list where the user service was never there, and not where it should be", async () => {
    const one = await start(product, { RIALTO_USER_URL: `http://127.0.0.1:${await freePort()}` });
    const { body } = await ask(one, "/health/services");
    expect(body).toMatchObject({ status: "degraded", endedSessions: { fresh: false, ageSeconds: null } });
    expect(JSON.stringify(body)).not.toContain("127.0.0.1");
    expect((await ask(one, "/ready")).status).toBe(200);
  });
});

describe("services in one process", () => {
  it("have registered with each other when they are started", async () => {
    const all = await runServices([product, orderWith("text-watch")], options(false));
    running.push(all);
    expect(await statusByEndpoint(all)).toBe("SERVING");
    expect(await registered()).toContain("text-watch");
  });
});

const sixtyOrMore: unknown = expect.toSatisfy((seconds: number) => seconds >= 60);
const patience = { interval: 50 };

async function start(definition: typeof product, env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const one = await runServices([definition], options(true, env));
  running.push(one);
  return one;
}

function options(listens: boolean, env: Readonly<Record<string, string>> = {}) {
  const config = readConfig({ DATABASE_URL: database.adminUrl, RIALTO_DATA_DIR: folder, PORT: "0", ...env });
  return { config, logOf: () => quietLogger, listens };
}

/** A user service of which nobody has signed out. */
async function startUserService() {
  const { serviceKeys } = await openIdentity(options(true).config);
  const unused = () => Promise.reject(new Error("nobody calls this"));
  const handlers = {
    ...Object.fromEntries(AuthService.methods.map(({ localName }) => [localName, unused])),
    listRevocations: async () => ({ revocations: [], nextPageToken: "" }),
  };
  const endpoint = createEndpoint({
    service: "user",
    // One handler for each method of the service, made from its own list.
    routes: [serve(AuthService, handlers as unknown as Handlers<typeof AuthService>)],
    verifier: createTokenVerifier({ accessKeys: async () => ({ keys: [] }), serviceKeys }),
    fingerprintKey: "a key for tests",
    log: quietLogger,
  });
  const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
  running.push({ stop: () => server.close() });
  return server;
}

async function ask({ port }: Running, path: string) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: answer.status, body: (await answer.json()) as object };
}

const checkPath = "/grpc.health.v1.Health/Check";

async function servingStatus({ port }: Running): Promise<string> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`http://127.0.0.1:${port}${checkPath}`, { method: "POST", headers, body: "{}" });
  return statusIn(await answer.text());
}

/** As the gateway asks in one process, of each service. */
async function statusByEndpoint({ endpoints }: Running): Promise<string> {
  const answers = [...endpoints.values()].map(async (endpoint) => {
    const { body } = await endpoint.handle({
      url: `http://${endpoint.service}${checkPath}`,
      method: "POST",
      header: new Headers({ "content-type": "application/json" }),
      body: chunks("{}"),
    });
    const all: Uint8Array[] = [];
    for await (const chunk of body) all.push(chunk);
    return statusIn(Buffer.concat(all).toString());
  });
  return [...new Set(await Promise.all(answers))].join();
}

function statusIn(json: string): string {
  return JSON.parse(json).status;
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function registered(): Promise<readonly string[]> {
  const [table] = await database.sql<{ name: string | null }[]>`select to_regclass('product.registration') as name`;
  if (table?.name === null) return [];
  const rows = await database.sql<{ subscription: string }[]>`select subscription from product.registration`;
  return rows.map(({ subscription }) => subscription);
}
