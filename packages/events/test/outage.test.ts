import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backends, effectsOf, type Fixture, notes, openFixture, redis, until } from "./fixture.ts";

const sorted = (ids: readonly string[]) => [...ids].sort();

describe.each(backends)("what goes down under events over %s", (backend) => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  it("loses nothing when Postgres drops every connection, again and again", async () => {
    const relay = fixture.relay();
    await fixture.subscription("dropped", notes("dropped"));
    await fixture.subscription("dropped-effect", {
      async handle({ id, subject, version }) {
        await fixture.desk.sql`
          insert into effect (subscription, event_id, subject, version)
          values ('dropped-effect', ${id}, ${subject}, ${version})`;
      },
    });
    const ids: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      ids.push(...(await fixture.publishMany(60)));
      relay.wake();
      await fixture.postgres.sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
      // The pool of the test learns of it by a failure.
      await until("the shop is reachable", async () => (await fixture.shop.sql`select 1`).length === 1);
    }
    await fixture.settled();
    // An event whose commit was cut off is pending, and retried by itself.
    await until("nothing is left", async () => (await fixture.desk.sql`select 1 from inbox_pending`).length === 0);
    expect(sorted(await effectsOf(fixture.desk, "dropped"))).toEqual(sorted(ids));
    expect(new Set(await effectsOf(fixture.desk, "dropped-effect"))).toEqual(new Set(ids));
  });

  it("goes on with two worker processes when one is killed in the middle", async () => {
    await fixture.register("killed");
    const ids = await fixture.publishMany(150);
    const relay = fixture.relay();
    const workers = [await startWorker("killed"), await startWorker("killed")];
    await until("some had their effect", async () => (await effectsOf(fixture.desk, "killed")).length > 0);
    workers[0]?.kill("SIGKILL");
    const more = await fixture.publishMany(50);
    relay.wake();
    await fixture.settled();
    workers[1]?.kill("SIGKILL");
    expect(sorted(await effectsOf(fixture.desk, "killed"))).toEqual(sorted([...ids, ...more]));
  });

  if (backend === "redis")
    it("loses nothing when Redis forgets everything in the middle", async () => {
      const relay = fixture.relay();
      await fixture.subscription("flushed", notes("flushed"));
      const admin = new Redis(redis?.url ?? "");
      const ids: string[] = [];
      for (let round = 0; round < 10; round += 1) {
        ids.push(...(await fixture.publishMany(50)));
        relay.wake();
        if (round % 2 === 0) await admin.flushall();
      }
      admin.disconnect();
      await fixture.settled();
      expect(sorted(await effectsOf(fixture.desk, "flushed"))).toEqual(sorted(ids));
    });

  if (backend === "redis")
    it("loses nothing when Redis dies and comes back empty", async () => {
      const port = String(redis?.port);
      const relay = fixture.relay();
      await fixture.subscription("restarted", notes("restarted"));
      const ids = [...(await fixture.publishMany(50))];
      relay.wake();
      const admin = new Redis(redis?.url ?? "", { retryStrategy: () => null });
      await admin.shutdown("NOSAVE").catch(() => undefined);
      ids.push(...(await fixture.publishMany(50)));
      relay.wake();
      const again = spawn("redis-server", ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], {
        stdio: "ignore",
      });
      try {
        await fixture.settled();
        expect(sorted(await effectsOf(fixture.desk, "restarted"))).toEqual(sorted(ids));
        await fixture.rest();
      } finally {
        again.kill("SIGKILL");
      }
    });

  async function startWorker(subscription: string): Promise<ChildProcess> {
    const jobsUrl = backend === "redis" ? (redis?.url ?? "") : fixture.postgres.urlOf("jobs");
    const script = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
    const child = spawn(process.execPath, [script, fixture.postgres.urlOf("desk"), jobsUrl, subscription], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.stdout !== null) await once(child.stdout, "data");
    return child;
  }
});

afterAll(async () => {
  await redis?.close();
  if (redis === undefined)
    process.stderr.write("left out, for want of redis-server: outages under events over redis\n");
});
