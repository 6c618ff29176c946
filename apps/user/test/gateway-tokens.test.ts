import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { anonymous, type Fixture, openFixture } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

/** Runs the migration again on existing data, as the first replica of this version does. */
async function migrate(): Promise<void> {
  const file = new URL("../migrations/0006_gateway_tokens.sql", import.meta.url);
  await fixture.sql`drop table "user".gateway_token`;
  await fixture.sql.unsafe(await readFile(file, "utf8"));
  await fixture.sql.unsafe(`grant select on "user".gateway_token to public`);
}

/** Returns what a newly started process tells gateways. */
async function gatewayTokensOf(): Promise<() => Promise<boolean>> {
  const { auth } = await fixture.start();
  return async () => (await auth.getJsonWebKeySet({}, anonymous())).gatewayTokens;
}

describe("that gateways are to pass no access token on", () => {
  it("is said from the start in a new installation", async () => {
    expect(await (await gatewayTokensOf())()).toBe(true);
  });

  it("may not be changed by the service itself", async () => {
    const { sql } = fixture.database;
    await expect(sql`update gateway_token set start_time = now() + interval '1 day'`).rejects.toThrow(
      "permission denied",
    );
    await expect(sql`delete from gateway_token`).rejects.toThrow("permission denied");
  });

  it("is said a day after the upgrade of one that has accounts, by replicas that run and by those that start then", async () => {
    await fixture.person();
    await migrate();
    const running = await gatewayTokensOf();
    expect(await running()).toBe(false);
    const [row] = await fixture.sql`
      select start_time > now() + interval '23 hours' as late, start_time < now() + interval '25 hours' as soon
      from "user".gateway_token`;
    expect(row).toEqual({ late: true, soon: true });

    await fixture.sql`update "user".gateway_token set start_time = now() + interval '1 second'`;
    const soon = await gatewayTokensOf();
    await vi.waitFor(async () => expect(await soon()).toBe(true), { timeout: 20_000, interval: 50 });
    expect(await (await gatewayTokensOf())()).toBe(true);
    expect(await running()).toBe(false);
  });
});
