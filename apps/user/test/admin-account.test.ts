import { Role } from "@rialto/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { anonymous, bearer, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeEach(async () => {
  fixture = await openFixture();
});
afterEach(() => fixture.close());

const email = "admin@rialto.example";

describe("the admin's account", () => {
  it("is created at the first start with a random password, which is shown once and is in no log", async () => {
    await fixture.seed();
    const [notice, ...more] = fixture.startupNotices;
    expect(more).toEqual([]);
    expect(notice).toMatchObject({ kind: "admin-created", email });
    const given = (notice?.kind === "admin-created" && notice.password) || "";
    expect(given.length).toBeGreaterThanOrEqual(16);
    const { user } = await fixture.auth.login({ email, password: given }, anonymous());
    expect(user?.role).toBe(Role.ADMIN);
    expect(fixture.logged.join("")).not.toContain(given);
  });

  it("is opened once, by one of many processes that start at once", async () => {
    const others = await Promise.all([fixture.start(), fixture.start()]);
    await Promise.all([fixture.seed(), ...others.map((process) => process.seed())]);
    await fixture.seed();
    const announced = [fixture, ...others]
      .flatMap((process) => process.startupNotices)
      .filter((notice) => notice.kind === "admin-created");
    expect(announced.length).toBe(1);
    expect(await refusal(fixture.auth.login({ email, password: announced[0]?.password ?? "" }, anonymous()))).toBe(
      "none",
    );
    const rows = await fixture.database.sql`select 1 from account`;
    expect(rows.length).toBe(1);
  });

  it("has the configured address and password, which is not shown again", async () => {
    const process = await fixture.start({ RIALTO_ADMIN_EMAIL: "boss@example.com", RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-created", email: "boss@example.com", password: undefined }]);
    expect(await refusal(fixture.auth.login({ email: "boss@example.com", password }, anonymous()))).toBe("none");
  });

  it("is opened beside another's where a lost password has to be got around", async () => {
    await fixture.seed();
    const process = await fixture.start({ RIALTO_ADMIN_EMAIL: "second@example.com", RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    const { user } = await fixture.auth.login({ email: "second@example.com", password }, anonymous());
    expect(user?.role).toBe(Role.ADMIN);
  });

  it("needs a given password in production, where a made one would be in the log, until there is one", async () => {
    const production = { NODE_ENV: "production", RIALTO_ADMIN_EMAIL: email };
    const without = await fixture.start(production);
    await expect(without.seed()).rejects.toThrow(/^RIALTO_ADMIN_PASSWORD must be set/);
    expect(await fixture.database.sql`select 1 from account`).toHaveLength(0);
    const first = await fixture.start({ ...production, RIALTO_ADMIN_PASSWORD: password });
    await first.seed();
    await without.seed();
    expect([...first.startupNotices, ...without.startupNotices]).toEqual([
      { kind: "admin-created", email, password: undefined },
      { kind: "admin-kept", email, hasConfiguredPassword: undefined },
    ]);
    expect(await refusal(fixture.auth.login({ email, password }, anonymous()))).toBe("none");
  });

  it("is left as it is where it exists", async () => {
    await fixture.seed();
    const process = await fixture.start({ RIALTO_ADMIN_PASSWORD: password });
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: false }]);
    expect(await refusal(fixture.auth.login({ email, password }, anonymous()))).toBe("CREDENTIALS_INVALID");
  });

  it("is said to have the password of the configuration for as long as it has it", async () => {
    const started = async (password: string) => {
      const process = await fixture.start({ RIALTO_ADMIN_PASSWORD: password });
      await process.seed();
      return process.startupNotices;
    };
    await started(password);
    expect(await started(password)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: true }]);
    const { accessToken } = await fixture.auth.login({ email, password }, anonymous());
    const newPassword = "another that is long enough";
    await fixture.auth.changePassword({ currentPassword: password, newPassword }, bearer(accessToken));
    expect(await started(password)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: false }]);
    expect(await started(newPassword)).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: true }]);
  });

  it("is said to be there where the configuration names no password", async () => {
    await fixture.seed();
    const process = await fixture.start();
    await process.seed();
    expect(process.startupNotices).toEqual([{ kind: "admin-kept", email, hasConfiguredPassword: undefined }]);
  });

  it("is not made of a customer who was there before under that address", async () => {
    await fixture.users.createUser({ email, name: "Mallory", password }, anonymous());
    await fixture.seed();
    const { user } = await fixture.auth.login({ email, password }, anonymous());
    expect(user?.role).toBe(Role.CUSTOMER);
    expect(fixture.startupNotices).toEqual([{ kind: "admin-address-taken", email }]);
    expect(fixture.logged.join("")).toContain("admin address belongs to a customer account");
  });
});
