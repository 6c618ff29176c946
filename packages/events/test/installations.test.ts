import { setTimeout as sleep } from "node:timers/promises";
import { quietLogger } from "@rialto/testing";
import { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { createJobs, emptyQueues, type Jobs } from "../src/index.ts";
import { drainOldPrefix, oldPrefix } from "../src/queue/drain-old-prefix.ts";
import { createRedisJobs } from "../src/queue/redis.ts";
import { redis } from "./fixture.ts";

const url = redis?.url ?? "";
const opened: { close?(): Promise<void>; stop?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const what of opened.splice(0).reverse()) await (what.close?.() ?? what.stop?.());
});

function keep<T extends { close?(): Promise<void>; stop?(): Promise<void> }>(what: T): T {
  opened.push(what);
  return what;
}

async function installation(redisPrefix: string): Promise<Jobs> {
  return keep(await createJobs({ redisUrl: url, redisPrefix }));
}

/** A relay tries again while the connection comes up. */
async function add(jobs: Jobs, queue: string, ...ids: string[]): Promise<void> {
  const all = ids.map((id) => ({ id, data: [id] }));
  await expect.poll(() => jobs.add(queue, all).then(() => "added", String)).toBe("added");
}

function listen(jobs: Jobs, queue: string) {
  const heard: unknown[] = [];
  const handle = async (data: unknown) => void heard.push(data);
  keep(jobs.work(queue, handle, { concurrency: 1, log: quietLogger }));
  return heard;
}

describe.skipIf(redis === undefined)("two installations on one Redis", () => {
  it("take none of each other's jobs", async () => {
    const [one, other] = [await installation("rialto-one"), await installation("rialto-other")];
    const heardByOther = listen(other, "mail");
    await add(one, "mail", "of-one");
    await add(other, "mail", "of-the-other");
    await expect.poll(() => heardByOther).toEqual([["of-the-other"]]);
    const heardByOne = listen(one, "mail");
    await expect.poll(() => heardByOne).toEqual([["of-one"]]);
    expect(heardByOther).toEqual([["of-the-other"]]);
  });

  it("are emptied one at a time", async () => {
    const [one, other] = [await installation("rialto-first"), await installation("rialto-second")];
    await add(one, "mail", "kept");
    await add(other, "mail", "gone");
    expect(await emptyQueues(other)).toEqual(["mail"]);
    expect(await other.states("mail", ["gone"])).toEqual(new Map([["gone", "lost"]]));
    expect(await one.states("mail", ["kept"])).toEqual(new Map([["kept", "open"]]));
  });
});

describe.skipIf(redis === undefined)("an installation that an older version made", () => {
  const draining = (idleMs: number) =>
    keep(
      drainOldPrefix({
        url,
        jobs: createRedisJobs(url, "rialto-upgraded:queue"),
        old: createRedisJobs(url, oldPrefix),
        idleMs,
        pollMs: 50,
      }),
    );

  it("takes the jobs that the older version left, and those that its replicas add while both run", async () => {
    const older = keep(createRedisJobs(url, oldPrefix));
    await add(older, "upgraded-mail", "left-behind");
    const jobs = draining(600_000);
    const heard = listen(jobs, "upgraded-mail");
    await expect.poll(() => heard).toEqual([["left-behind"]]);
    await add(jobs, "upgraded-mail", "new");
    await add(older, "upgraded-mail", "of-an-older-replica");
    await expect.poll(() => heard).toHaveLength(3);
    expect(heard).toEqual(expect.arrayContaining([["new"], ["of-an-older-replica"]]));
    expect(await older.states("upgraded-mail", ["new"])).toEqual(new Map([["new", "lost"]]));
  });

  it("removes the old queue once it has been empty for long enough", async () => {
    const older = keep(createRedisJobs(url, oldPrefix));
    await add(older, "drained-mail", "last");
    const heard = listen(draining(300), "drained-mail");
    await expect.poll(() => heard).toEqual([["last"]]);
    const client = new Redis(url);
    await expect.poll(() => client.keys(`${oldPrefix}:drained-mail:*`)).toEqual([]);
    client.disconnect();
  });

  it("makes nothing under the old prefix where nothing is left", async () => {
    const jobs = draining(600_000);
    const heard = listen(jobs, "untouched-mail");
    await add(jobs, "untouched-mail", "new");
    await expect.poll(() => heard).toEqual([["new"]]);
    await sleep(200);
    const client = new Redis(url);
    expect(await client.keys(`${oldPrefix}:untouched-mail:*`)).toEqual([]);
    client.disconnect();
  });
});
