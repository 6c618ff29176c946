import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { redisForTests } from "@rialto/testing";
import { type PostgresPair, startPostgresPair } from "@rialto/testing/postgres-pair";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

const repeatMs = 100;
/** Customers who place orders one after the other, before, during and after a fault. */
const customersMax = 4;
const ordersBefore = 12;
const ordersAfter = 12;
const settings = { fsync: "off", full_page_writes: "off" };

const probe = await redisForTests();
await probe?.close();

const topologies = [
  { name: "one process with jobs on Postgres", start: (env: Env) => oneProcess("postgres", env) },
  ...(probe === undefined ? [] : [{ name: "six processes with Redis", start: sixProcesses }]),
];
type Env = Readonly<Record<string, string>>;

describe.each(topologies)("Postgres under $name", ({ name, start }) => {
  let folder: string;
  let pair: PostgresPair;
  let topology: Topology;
  let client: RestClient;
  let token: string;
  let product: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "rialto-failover-"));
    // Postgres runs as another user under root and must be able to read the folder.
    chmodSync(folder, 0o755);
    pair = await startPostgresPair({ folder, synchronous: true, settings });
    topology = await start({ DATABASE_URL: pair.url });
    client = await openRestClient(topology);
    ({ token } = await client.customer());
    product = await client.product({ stock: 10_000 });
  });

  afterAll(async () => {
    await topology?.stop();
    await pair?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("answers reads and refuses writes with 503 and Retry-After while it is read-only, and the gateway stays ready", async () => {
    const known = await client.order(token, product);
    expect(await client.settled(token, known.id)).toMatchObject({ status: "CONFIRMED" });
    await pair.setReadOnly(true);
    // A transaction that had begun may still write.
    await expect.poll(() => place(randomUUID()).then(({ status }) => status), { interval: repeatMs }).toBe(503);
    for (let n = 0; n < 10; n += 1) {
      const refused = await place(randomUUID());
      expect({ status: refused.status, retryAfter: refused.headers.get("retry-after") }).toEqual({
        status: 503,
        retryAfter: "1",
      });
      expect(await client.call("GET", `/api/orders/${known.id}`, { token })).toMatchObject({ status: 200 });
      expect(await client.call("GET", "/api/products")).toMatchObject({ status: 200 });
      expect((await fetch(`${topology.url}/ready`)).status).toBe(200);
    }
    await pair.setReadOnly(false);
    const back = await untilAccepted(randomUUID());
    expect(await untilConfirmed(back)).toBe("CONFIRMED");
  });

  it.each([
    ["is switched over, its old connections left open", () => pair.switchOver()],
    ["is killed, and its synchronous standby takes over", () => pair.failOver()],
  ])(
    "%s: nothing acknowledged is lost, and no attempt is used up",
    async (what, move) => {
      await pair.addStandby();
      const from = topology.said().length;
      const accepted: string[] = [];
      let left = ordersBefore;
      const order = async () => {
        for (; left > 0; ) {
          left -= 1;
          accepted.push(await untilAccepted(randomUUID()));
        }
      };
      await Promise.all(Array.from({ length: customersMax }, order));
      left = Number.POSITIVE_INFINITY;
      const ordering = Array.from({ length: customersMax }, order);
      await move();
      const moved = performance.now();
      await untilAccepted(randomUUID());
      const seconds = (performance.now() - moved) / 1_000;
      process.stderr.write(`Postgres under ${name} ${what}: writes work ${seconds.toFixed(1)} s after the swap\n`);
      left = ordersAfter;
      await Promise.all(ordering);
      for (const id of accepted) expect(await untilConfirmed(id)).toBe("CONFIRMED");
      const said = topology.said().slice(from);
      expect(said).not.toMatch(/event handler failed, retrying|is a dead letter|"defect"/);
      expect(
        (await client.call("GET", "/api/dead-letters", { token: client.adminToken })).body.deadLetters ?? [],
      ).toEqual([]);
      expect(topology.ended()).toEqual([]);
    },
    240_000,
  );

  it("takes another password for a role while all of it runs: an outage in the log, and on it goes once the password is back", async () => {
    const role = await pair.onPrimary(async (sql) => {
      const [row] = await sql`select pg_get_userbyid(nspowner) as owner from pg_namespace where nspname = 'order'`;
      return String(row?.owner).replace(/_owner$/, "");
    });
    const verifier = await pair.onPrimary(async (sql) => {
      const [row] = await sql`select rolpassword from pg_authid where rolname = ${role}`;
      await sql.unsafe(`alter role "${role}" password 'changed by somebody'`);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
      return String(row?.rolpassword);
    });
    await expect.poll(() => place(randomUUID()).then(({ status }) => status), { interval: repeatMs }).toBe(503);
    await expect
      .poll(() => topology.said(), { timeout: 20_000 })
      .toMatch(/"level":"error".*Postgres refused the password/);
    await pair.onPrimary((sql) => sql.unsafe(`alter role "${role}" password '${verifier}'`));
    expect(await untilConfirmed(await untilAccepted(randomUUID()))).toBe("CONFIRMED");
    expect(topology.ended()).toEqual([]);
  });

  function place(key: string): Promise<Response> {
    return fetch(`${topology.url}/api/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, "idempotency-key": key },
      body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
    });
  }

  /**
   * Sends an order with its key until it is accepted, like a client, and returns its id. The test's own timeout bounds
   * it.
   */
  async function untilAccepted(key: string): Promise<string> {
    for (;;) {
      const answer = await place(key).catch(() => undefined);
      const body: unknown = await answer?.json().catch(() => undefined);
      if (answer?.status === 200 && typeof body === "object" && body !== null && "id" in body) return String(body.id);
      await sleep(repeatMs);
    }
  }

  async function untilConfirmed(id: string): Promise<string> {
    for (;;) {
      const order = await client.settled(token, id).catch(() => undefined);
      if (order !== undefined && order.status !== "PENDING") return order.status;
      await sleep(repeatMs);
    }
  }
});
