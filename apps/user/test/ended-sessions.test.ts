import { Role } from "@rialto/contracts";
import { nextPageToken, watchRevocations } from "@rialto/rpc";
import { endedSessionsFrom } from "@rialto/service";
import { createLogger } from "@rialto/telemetry";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createRefreshTokens } from "../src/sessions/refresh-tokens.ts";
import { createSessionStore } from "../src/sessions/store.ts";
import { anonymous, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
let admin: Awaited<ReturnType<Fixture["admin"]>>;
beforeAll(async () => {
  fixture = await openFixture();
  admin = await fixture.admin();
});
afterAll(() => fixture.close());

async function listed(): Promise<string[]> {
  const all = await endedSessionsFrom(fixture.as("order").auth)(undefined, new AbortController().signal);
  return all.map(({ sessionId }) => sessionId);
}
const anId = "01900000-0000-7000-8000-000000000001";
const sessionOf = async (token: string) => (await fixture.verifier.user(token)).sessionId;
const login = (email: string) => fixture.auth.login({ email, password }, anonymous());

describe("the list of ended sessions", () => {
  it("has what was logged out, and nothing else", async () => {
    const [one, other] = [await fixture.person(), await fixture.person()];
    await fixture.auth.logout({}, one.origin);
    const ids = await listed();
    expect(ids).toContain(await sessionOf(one.session.accessToken));
    expect(ids).not.toContain(await sessionOf(other.session.accessToken));
  });

  it("has every session of who logs out everywhere", async () => {
    const ada = await fixture.person();
    const second = await login(ada.email);
    await fixture.auth.logoutAll({}, ada.origin);
    const ids = await listed();
    expect(ids).toEqual(
      expect.arrayContaining([await sessionOf(ada.session.accessToken), await sessionOf(second.accessToken)]),
    );
    const refresh = fixture.auth.refreshToken({ refreshToken: second.refreshToken }, anonymous());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
  });

  it("is listed page by page, from a given time", async () => {
    const people = await Promise.all(Array.from({ length: 3 }, () => fixture.person()));
    const before = new Date(Date.now() - 1);
    for (const { origin } of people) await fixture.auth.logout({}, origin);
    const fetch = endedSessionsFrom(fixture.as("order").auth);
    const ids = (await fetch(before, new AbortController().signal)).map(({ sessionId }) => sessionId);
    expect(ids).toEqual(await Promise.all(people.map(({ session }) => sessionOf(session.accessToken))));
    expect(await fetch(new Date(Date.now() + 1000), new AbortController().signal)).toEqual([]);
  });

  it.each([
    ["made up", anId],
    ["2026-11-24T10:00:00.000Z", "made up"],
    ["2026-99-99T10:00:00.000Z", anId],
    ["0000-01-01T00:00:00.000Z", anId],
  ])("refuses a forged page token: %s %s", async (...keys) => {
    const pageToken = nextPageToken(keys, { since: null });
    const list = fixture.as("order").auth.listRevocations({ pageToken }, anonymous());
    expect(await refusal(list)).toBe("PAGE_TOKEN_INVALID");
  });

  it("is for services only", async () => {
    expect(await refusal(fixture.auth.listRevocations({}, admin.origin))).toBe("METHOD_UNKNOWN");
  });

  it("is kept by every process, which asks for what is new", async () => {
    const log = createLogger({ service: "test", level: "silent" });
    const revocations = watchRevocations({
      fetch: endedSessionsFrom(fixture.as("order").auth),
      log,
      pollMs: 3_600_000,
    });
    const ada = await fixture.person();
    const session = await sessionOf(ada.session.accessToken);
    let notified = 0;
    revocations.onEnd(session, () => {
      notified += 1;
    });
    await revocations.refresh();
    expect(revocations.has(session)).toBe(false);
    await fixture.auth.logout({}, ada.origin);
    await revocations.refresh();
    await revocations.refresh();
    expect([revocations.has(session), notified, revocations.state().isFresh]).toEqual([true, 1, true]);
    await revocations.stop();
  });
});

describe("a disabled account", () => {
  it("has no session, opens none, and is itself again when it is enabled", async () => {
    const ada = await fixture.person();
    const { user } = await fixture.users.disableUser({ id: ada.id }, admin.origin);
    expect(user?.disableTime).toBeDefined();
    expect(await listed()).toContain(await sessionOf(ada.session.accessToken));
    const refresh = fixture.auth.refreshToken({ refreshToken: ada.session.refreshToken }, anonymous());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(login(ada.email))).toBe("ACCOUNT_DISABLED");
    expect((await fixture.users.enableUser({ id: ada.id }, admin.origin)).user?.disableTime).toBeUndefined();
    expect((await login(ada.email)).user?.id).toBe(ada.id);
    expect((await fixture.events(ada.id)).map(({ topic }) => topic)).toEqual([
      "user.created",
      "user.disabled",
      "user.enabled",
    ]);
  });

  it("says so only to who knows its password", async () => {
    const ada = await fixture.person();
    await fixture.users.disableUser({ id: ada.id }, admin.origin);
    const guess = fixture.auth.login({ email: ada.email, password: "something else" }, anonymous());
    expect(await refusal(guess)).toBe("CREDENTIALS_INVALID");
  });

  it("is disabled by admins only, and by none their own", async () => {
    const ada = await fixture.person();
    expect(await refusal(fixture.users.disableUser({ id: admin.id }, ada.origin))).toBe("ACCESS_DENIED");
    expect(await refusal(fixture.users.disableUser({ id: admin.id }, admin.origin))).toBe("SELF_DISABLE_DENIED");
    expect(await refusal(fixture.users.disableUser({ id: crypto.randomUUID() }, admin.origin))).toBe("USER_NOT_FOUND");
  });

  it("keeps no session that a login opened in the same moment", async () => {
    for (let round = 0; round < 10; round += 1) {
      const ada = await fixture.person();
      const logins = Array.from({ length: 4 }, () => login(ada.email).catch(() => undefined));
      await fixture.users.disableUser({ id: ada.id }, admin.origin);
      await Promise.all(logins);
      const [row] = await fixture.database.sql<
        { open: number }[]
      >`select count(*)::int as open from session where account_id = ${ada.id} and end_time is null`;
      expect(row?.open).toBe(0);
    }
  });
});

describe("an account whose role was changed", () => {
  it.each([
    ["up", Role.ADMIN],
    ["down", Role.CUSTOMER],
  ])("has no session left that says otherwise, %s", async (_, role) => {
    const ada = await fixture.person();
    const change = (to: Role) => fixture.users.updateUser({ user: { id: ada.id, role: to } }, admin.origin);
    if (role === Role.CUSTOMER) await change(Role.ADMIN);
    const before = await login(ada.email);
    await change(role);
    expect(await listed()).toContain(await sessionOf(before.accessToken));
    const refresh = fixture.auth.refreshToken({ refreshToken: before.refreshToken }, anonymous());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
    expect((await login(ada.email)).user?.role).toBe(role);
  });

  it("keeps its sessions where the role is the same", async () => {
    const ada = await fixture.person();
    await fixture.users.updateUser({ user: { id: ada.id, role: Role.CUSTOMER, name: "Augusta" } }, admin.origin);
    expect(await listed()).not.toContain(await sessionOf(ada.session.accessToken));
  });
});

describe("the clock of a process", () => {
  it.each([-600_000, 600_000])(
    "that is %i ms off hides no ended session from those who ask for what is new",
    async (ms) => {
      const [ada, ben] = [await fixture.person(), await fixture.person()];
      await fixture.auth.logout({}, ada.origin);
      const session = await sessionOf(ben.session.accessToken);
      const fetch = endedSessionsFrom(fixture.as("order").auth);
      const known = await fetch(undefined, new AbortController().signal);
      const newest = known.at(-1)?.time ?? new Date(0);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
      try {
        await createSessionStore(fixture.database, createRefreshTokens("a key")).end(session);
      } finally {
        vi.useRealTimers();
      }
      // Processes look back this far behind the newest end that they know.
      const since = new Date(+newest - 60_000);
      const ids = (await fetch(since, new AbortController().signal)).map(({ sessionId }) => sessionId);
      expect(ids).toContain(session);
    },
  );
});
