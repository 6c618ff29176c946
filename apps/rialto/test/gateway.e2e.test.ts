import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPersonTokens, createServiceTokens, type UserId } from "@rialto/rpc";
import { decodeJwt, exportJWK, generateKeyPair, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { withTwoOrderReplicas } from "./topology.ts";

/** So long that trials that run at once would be seen. */
const graveMs = 20;

let folder: string;
let keysFile: string;
let first: JWK;
let second: JWK;
let topology: Awaited<ReturnType<typeof withTwoOrderReplicas>>;
let client: RestClient;
let ada: Awaited<ReturnType<RestClient["customer"]>>;
let orderId: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-gateway-"));
  keysFile = join(folder, "keys.json");
  [first, second] = [await newKey("first"), await newKey("second")];
  await writeKeys(first);
  topology = await withTwoOrderReplicas({ RIALTO_SIGNING_KEY_FILE: keysFile, RIALTO_ARGON2_COST: "test" });
  client = await openRestClient(topology);
  ada = await client.customer();
  orderId = (await client.order(ada.token, await client.product({ stock: 5 }))).id;
});
afterAll(async () => {
  await topology.stop();
  await rm(folder, { recursive: true });
});

async function newKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  return { ...(await exportJWK(privateKey)), kid };
}
/** Replaces the file atomically, as Kubernetes does. */
async function writeKeys(...keys: JWK[]): Promise<void> {
  await writeFile(`${keysFile}.new`, JSON.stringify({ keys }));
  await rename(`${keysFile}.new`, keysFile);
}
const publicPart = ({ d: _private, ...key }: JWK): JWK => key;
const kidOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;

async function read(token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${topology.url}/api/orders/${orderId}`, { headers });
  await response.arrayBuffer();
  return response.status;
}

/** Reads the order from the order service directly, like a gateway that does not know yet that the session ended. */
async function readAt(service: string, token: string): Promise<number> {
  const privateKey = JSON.parse(await readFile(join(topology.dataDir, "keys", "gateway.jwk"), "utf8"));
  const { sub: userId, sid: sessionId, role } = decodeJwt<{ sub: UserId; sid: string; role: "CUSTOMER" }>(token);
  const person = createPersonTokens({ name: "gateway", privateKey }).for({ userId, sessionId, role }, "order");
  const response = await fetch(`${service}/rialto.order.v1.OrderService/GetOrder`, {
    method: "POST",
    body: JSON.stringify({ id: orderId }),
    headers: {
      authorization: `Bearer ${await person}`,
      "rialto-service": await createServiceTokens({ name: "gateway", privateKey }).for("order"),
      "content-type": "application/json",
    },
  });
  await response.arrayBuffer();
  return response.status;
}

/**
 * Reads an order up to 200 times a second until it is stopped. Returns the number of each status and the rate. Few
 * reads run at a time, so that a busy machine slows it down instead of making reads late; late reads are retried.
 */
function load(tokens: () => readonly string[]) {
  const perMs = 200 / 1_000;
  const atWorkMax = 10;
  const counts = new Map<number, number>();
  let isOn = true;
  let begun = 0;
  let atWork = 0;
  const one = async (token: string) => {
    begun += 1;
    atWork += 1;
    let status = 504;
    while (status === 504) status = await read(token).catch(() => 0);
    counts.set(status, (counts.get(status) ?? 0) + 1);
    atWork -= 1;
  };
  const started = performance.now();
  const done = (async () => {
    while (isOn) {
      while (begun < (performance.now() - started) * perMs && atWork < atWorkMax)
        void one(tokens()[begun % tokens().length] ?? "");
      await sleep(5);
    }
    const perSecond = Math.round((begun / (performance.now() - started)) * 1_000);
    while (atWork > 0) await sleep(10);
    return { counts: Object.fromEntries(counts), perSecond };
  })();
  return {
    /** Waits until this many more reads are answered. */
    async answered(more: number) {
      const sum = () => [...counts.values()].reduce((all, one) => all + one, 0);
      const enough = sum() + more;
      while (sum() < enough) await sleep(10);
    },
    stop() {
      isOn = false;
      return done;
    },
  };
}

async function replicas(): Promise<{ breaker: string; lastError: { class: string } | null }[]> {
  const { body } = await client.call("GET", "/health/services");
  return body.services.find(({ service }: { service: string }) => service === "order").replicas;
}
const breakers = async () => (await replicas()).map(({ breaker }) => breaker).join();

async function publishedKeys(): Promise<string[]> {
  const { body } = await client.call("GET", "/.well-known/jwks.json");
  return body.keys.map(({ kid }: { kid: string }) => kid);
}

const eventually = { timeout: 120_000, interval: 100 };

describe("while the keys of access tokens change", () => {
  it("every token goes on to hold, the old ones and the new", { timeout: 300_000 }, async () => {
    const tokens = [ada.token];
    const running = load(() => tokens);
    await running.answered(100);
    await writeKeys(first, second);
    // A key is published before it signs.
    await expect.poll(publishedKeys, eventually).toEqual(["first", "second"]);
    await writeKeys(second, publicPart(first));
    await expect.poll(async () => kidOf((await client.customer()).token), eventually).toBe("second");
    const bob = await client.customer();
    tokens.push(bob.token);
    await running.answered(200);
    tokens.pop();
    const { counts, perSecond } = await running.stop();
    process.stdout.write(`key rotation: ${JSON.stringify(counts)} at ${perSecond} a second\n`);
    // Another customer's order is not found. What counts is that the token was accepted.
    expect(Object.keys(counts).toSorted()).toEqual(["200", "404"]);
  });
});

describe("access that was taken away", () => {
  it("is known to the gateway, which says in its health how fresh its list is", { timeout: 300_000 }, async () => {
    const list = async () => (await client.call("GET", "/health/services")).body.endedSessions;
    await expect.poll(list, eventually).toMatchObject({ fresh: true, ageSeconds: expect.any(Number) });
  });

  /** How long a token stays valid, at the gateway and at the order service, under load. */
  async function endsWithin(token: string, end: () => Promise<unknown>): Promise<string> {
    const reads = [
      read,
      ...topology.orders.map(
        ({ url }) =>
          (of: string) =>
            readAt(url, of),
      ),
    ];
    expect(await Promise.all(reads.map((readFrom) => readFrom(token)))).toEqual([404, 404, 404]);
    const running = load(() => [ada.token]);
    const started = performance.now();
    await end();
    for (const readFrom of reads) await expect.poll(() => readFrom(token), eventually).toBe(401);
    const ms = Math.round(performance.now() - started);
    const { counts, perSecond } = await running.stop();
    expect(counts).toEqual({ 200: expect.any(Number) });
    return `${ms} ms, beside ${counts[200]} calls at ${perSecond} a second`;
  }

  it("ends everywhere, for a session that was logged out", { timeout: 300_000 }, async () => {
    const { token } = await client.customer();
    const after = await endsWithin(token, () => client.post("/api/auth/logout", { token }));
    process.stdout.write(`a session that was logged out ended everywhere after ${after}\n`);
  });

  it("ends everywhere, for an account that was disabled", { timeout: 300_000 }, async () => {
    const bob = await client.customer();
    const disable = () => client.post(`/api/users/${bob.id}:disable`, { token: client.adminToken });
    const after = await endsWithin(bob.token, disable);
    process.stdout.write(`a disabled account's access ended everywhere after ${after}\n`);
  });
});

describe("a service with two replicas", () => {
  it("loses one under load, and no reader sees it", { timeout: 300_000 }, async () => {
    const running = load(() => [ada.token]);
    await running.answered(100);
    await topology.orders[1]?.kill();
    await expect.poll(breakers, eventually).toBe("closed,open");
    expect((await replicas())[1]?.lastError?.class).toMatch(/refused|reset/);
    topology.orders[1]?.start();
    await expect.poll(breakers, eventually).toBe("closed,closed");
    await running.answered(100);
    const { counts, perSecond } = await running.stop();
    process.stdout.write(`one of two replicas killed: ${JSON.stringify(counts)} at ${perSecond} a second\n`);
    if (Object.keys(counts).length > 1) process.stdout.write(`${topology.said()}\n`);
    expect(Object.keys(counts)).toEqual(["200"]);
  });

  it("loses both: callers are told at once, and served again when they are back", { timeout: 300_000 }, async () => {
    for (const replica of topology.orders) await replica.kill();
    const graves = await Promise.all(topology.orders.map(({ url }) => listenInPlaceOf(url)));
    await expect
      .poll(async () => {
        await read(ada.token);
        return breakers();
      }, eventually)
      .toBe("open,open");
    const times: number[] = [];
    const timedRead = async () => {
      const began = performance.now();
      expect(await read(ada.token)).toBe(503);
      times.push(performance.now() - began);
    };
    // Where no other replica is left, each is tried, by one call at a time: the others are told without a try.
    await Promise.all(Array.from({ length: 200 }, timedRead));
    expect(graves.map((grave) => grave.atOnceMax())).toEqual([1, 1]);
    const p99 = times.toSorted((a, b) => a - b)[197] ?? 0;
    process.stdout.write(`both replicas gone: 503 after ${p99.toFixed(1)} ms (p99 of 200 at once)\n`);
    for (const grave of graves) await grave.close();
    for (const replica of topology.orders) replica.start();
    await expect.poll(() => read(ada.token), eventually).toBe(200);
  });
});

/**
 * Counts the gateway's calls that are at the port of a dead replica at once, and closes the connection of each a moment
 * later. Other processes call the order service too, each with breakers of its own.
 */
async function listenInPlaceOf(url: string) {
  let atWork = 0;
  let atOnceMax = 0;
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (request: Buffer) => {
      const isGateways = request.toString("latin1").startsWith("POST /rialto.order.v1.OrderService/GetOrder ");
      if (isGateways) atWork += 1;
      atOnceMax = Math.max(atOnceMax, atWork);
      setTimeout(() => {
        if (isGateways) atWork -= 1;
        socket.destroy();
      }, graveMs);
    });
  }).listen(Number(new URL(url).port), "127.0.0.1");
  await once(server, "listening");
  return {
    atOnceMax: () => atOnceMax,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
