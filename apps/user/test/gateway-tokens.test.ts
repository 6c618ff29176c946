import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nobody, openWorld, type World } from "./user-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Migrates anew what is there, as the first replica of this version does. */
async function migrate(): Promise<void> {
  const file = new URL("../migrations/0006_gateway_tokens.sql", import.meta.url);
  await world.sql`drop table "user".gateway_token`;
  await world.sql.unsafe(await readFile(file, "utf8"));
  await world.sql.unsafe(`grant select on "user".gateway_token to public`);
}

/** What a process that is started now tells gateways. */
async function told(): Promise<() => Promise<boolean>> {
  const { auth } = await world.start();
  return async () => (await auth.getJsonWebKeySet({}, nobody())).gatewayTokens;
}

describe("that gateways are to pass no access token on", () => {
  it("is said from the start in a new installation", async () => {
    expect(await (await told())()).toBe(true);
  });

  it("may not be changed by the service itself", async () => {
    const { sql } = world.database;
    await expect(sql`update gateway_token set start_time = now() + interval '1 day'`).rejects.toThrow(
      "permission denied",
    );
    await expect(sql`delete from gateway_token`).rejects.toThrow("permission denied");
  });

  it("is said a day after the upgrade of one that has accounts, by replicas that run and by those that start then", async () => {
    await world.person();
    await migrate();
    const running = await told();
    expect(await running()).toBe(false);
    const [row] = await world.sql`
      select start_time > now() + interval '23 hours' as late, start_time < now() + interval '25 hours' as soon
      from "user".gateway_token`;
    expect(row).toEqual({ late: true, soon: true });

    await world.sql`update "user".gateway_token set start_time = now() + interval '1 second'`;
    const soon = await told();
    await vi.waitFor(async () => expect(await soon()).toBe(true), { timeout: 20_000, interval: 50 });
    expect(await (await told())()).toBe(true);
    expect(await running()).toBe(false);
  });
});
