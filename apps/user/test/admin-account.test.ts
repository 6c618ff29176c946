import { Role } from "@rialto/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bearer, nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

const email = "admin@rialto.example";

describe("the admin's account", () => {
  it("is opened at the first start with a random password, which is told once and is in no log", async () => {
    await world.seed();
    const [notice, ...more] = world.startupNotices;
    expect(more).toEqual([]);
    expect(notice).toMatchObject({ kind: "admin-created", email });
    const given = (notice?.kind === "admin-created" && notice.password) || "";
    expect(given.length).toBeGreaterThanOrEqual(16);
    const { user } = await world.auth.login({ email, password: given }, nobody());
    expect(user?.role).toBe(Role.ADMIN);
    expect(world.logged.join("")).not.toContain(given);
  });

  it("is opened once, by one of many processes that start at once", async () => {
    const others = await Promise.all([world.start(), world.start()]);
    await Promise.all([world.seed(), ...others.map((process) => process.seed())]);
    await world.seed();
    const announced = [world, ...others]
      .flatMap((process) => process.startupNotices)
      .filter((notice) => notice.kind === "admin-created");
    expect(announced.length).toBe(1);
    expect(await refusal(world.auth.login({ email, password: announced[0]?.password ?? "" }, nobody()))).toBe("none");
    const rows = await world.database.sql`select 1 from account`;
    expect(rows.length).toBe(1);
  });

  it("has the address and the password of the configuration, which is not told again", async () => {
    const process = await world.start({ RIALTO_ADMIN_EMAIL: "boss@example.com", RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-created", email: "boss@example.com", password: undefined }]);
    expect(await refusal(world.auth.login({ email: "boss@example.com", password }, nobody()))).toBe("none");
  });

  it("is opened beside another's where a lost password has to be got around", async () => {
    await world.seed();
    const process = await world.start({ RIALTO_ADMIN_EMAIL: "second@example.com", RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    const { user } = await world.auth.login({ email: "second@example.com", password }, nobody());
    expect(user?.role).toBe(Role.ADMIN);
  });

  it("needs a given password in production, where a made one would be in the log, until there is one", async () => {
    const production = { NODE_ENV: "production", RIALTO_ADMIN_EMAIL: email };
    const without = await world.start(production);
    await expect(without.seed()).rejects.toThrow(/^RIALTO_ADMIN_PASSWORD must be set/);
    expect(await world.database.sql`select 1 from account`).toHaveLength(0);
    const first = await world.start({ ...production, RIALTO_ADMIN_PASSWORD: password });
    await first.seed();
    await without.seed();
    expect([...first.startupNotices, ...without.startupNotices]).toEqual([
      { kind: "admin-created", email, password: undefined },
      { kind: "admin-kept", email, hasConfiguredPassword: undefined },
    ]);
    expect(await refusal(world.auth.login({ email, password }, nobody()))).toBe("none");
  });

  it("is left as it is where it exists", async () => {
    await world.seed();
    const process = await world.start({ RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: false }]);
    expect(await refusal(world.auth.login({ email, password }, nobody()))).toBe("CREDENTIALS_INVALID");
  });

  it("is said to have the password of the configuration for as long as it has it", async () => {
    const started = async (password: string) => {
      const process = await world.start({ RIALTO_ADMIN_PASSWORD: password });
      await process.seed();
      return process.startupNotices;
    };
    await started(password);
    expect(await started(password)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: true }]);
    const { accessToken } = await world.auth.login({ email, password }, nobody());
    const newPassword = "another that is long enough";
    await world.auth.changePassword({ currentPassword: password, newPassword }, bearer(accessToken));
    expect(await started(password)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: false }]);
    expect(await started(newPassword)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: true }]);
  });

  it("is said to be there where the configuration names no password", async () => {
    await world.seed();
    const process = await world.start();
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: undefined }]);
  });

  it("is not made of a customer who was there before under that address", async () => {
    await world.users.createUser({ email, name: "Mallory", password }, nobody());
    await world.seed();
    const { user } = await world.auth.login({ email, password }, nobody());
    expect(user?.role).toBe(Role.CUSTOMER);
    expect(world.startupNotices).toEqual([{ kind: "admin-address-taken", email }]);
    expect(world.logged.join("")).toContain("the admin's address belongs to a customer");
  });
});
