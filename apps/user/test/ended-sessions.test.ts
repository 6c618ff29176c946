import { Role } from "@rialto/contracts";
import { nextPageToken, watchRevocations } from "@rialto/rpc";
import { endedSessionsFrom } from "@rialto/service";
import { createLogger } from "@rialto/telemetry";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createRefreshTokens } from "../src/sessions/refresh-tokens.ts";
import { createSessionStore } from "../src/sessions/store.ts";
import { nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
let admin: Awaited<ReturnType<World["admin"]>>;
beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world.close());

async function listed(): Promise<string[]> {
  const all = await endedSessionsFrom(world.as("order").auth)(undefined, new AbortController().signal);
  return all.map(({ sessionId }) => sessionId);
}
const anId = "01900000-0000-7000-8000-000000000001";
const sessionOf = async (token: string) => (await world.verifier.user(token)).sessionId;
const login = (email: string) => world.auth.login({ email, password }, nobody());

describe("the list of ended sessions", () => {
  it("has what was logged out, and nothing else", async () => {
    const [one, other] = [await world.person(), await world.person()];
    await world.auth.logout({}, one.origin);
    const ids = await listed();
    expect(ids).toContain(await sessionOf(one.session.accessToken));
    expect(ids).not.toContain(await sessionOf(other.session.accessToken));
  });

  it("has every session of who logs out everywhere", async () => {
    const ada = await world.person();
    const second = await login(ada.email);
    await world.auth.logoutAll({}, ada.origin);
    const ids = await listed();
    expect(ids).toEqual(
      expect.arrayContaining([await sessionOf(ada.session.accessToken), await sessionOf(second.accessToken)]),
    );
    const refresh = world.auth.refreshToken({ refreshToken: second.refreshToken }, nobody());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
  });

  it("is told page by page, from a moment on", async () => {
    const people = await Promise.all(Array.from({ length: 3 }, () => world.person()));
    const before = new Date(Date.now() - 1);
    for (const { origin } of people) await world.auth.logout({}, origin);
    const fetch = endedSessionsFrom(world.as("order").auth);
    const ids = (await fetch(before, new AbortController().signal)).map(({ sessionId }) => sessionId);
    expect(ids).toEqual(await Promise.all(people.map(({ session }) => sessionOf(session.accessToken))));
    expect(await fetch(new Date(Date.now() + 1000), new AbortController().signal)).toEqual([]);
  });

  it.each([
    ["made up", anId],
    ["2026-11-24T10:00:00.000Z", "made up"],
    ["2026-99-99T10:00:00.000Z", anId],
    ["0000-01-01T00:00:00.000Z", anId],
  ])("takes no page token that somebody else made: %s %s", async (...keys) => {
    const pageToken = nextPageToken(keys, { since: null });
    const list = world.as("order").auth.listRevocations({ pageToken }, nobody());
    expect(await refusal(list)).toBe("PAGE_TOKEN_INVALID");
  });

  it("is for services, and for nobody else", async () => {
    expect(await refusal(world.auth.listRevocations({}, admin.origin))).toBe("METHOD_UNKNOWN");
  });

  it("is kept by every process, which asks for what is new", async () => {
    const log = createLogger({ service: "test", level: "silent" });
    const revocations = watchRevocations({ fetch: endedSessionsFrom(world.as("order").auth), log, pollMs: 3_600_000 });
    const ada = await world.person();
    const session = await sessionOf(ada.session.accessToken);
    let told = 0;
    revocations.onEnd(session, () => {
      told += 1;
    });
    await revocations.refresh();
    expect(revocations.has(session)).toBe(false);
    await world.auth.logout({}, ada.origin);
    await revocations.refresh();
    await revocations.refresh();
    expect([revocations.has(session), told, revocations.state().isFresh]).toEqual([true, 1, true]);
    await revocations.stop();
  });
});

describe("a disabled account", () => {
  it("has no session, opens none, and is itself again when it is enabled", async () => {
    const ada = await world.person();
    const { user } = await world.users.disableUser({ id: ada.id }, admin.origin);
    expect(user?.disableTime).toBeDefined();
    expect(await listed()).toContain(await sessionOf(ada.session.accessToken));
    const refresh = world.auth.refreshToken({ refreshToken: ada.session.refreshToken }, nobody());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(login(ada.email))).toBe("ACCOUNT_DISABLED");
    expect((await world.users.enableUser({ id: ada.id }, admin.origin)).user?.disableTime).toBeUndefined();
    expect((await login(ada.email)).user?.id).toBe(ada.id);
    expect((await world.events(ada.id)).map(({ topic }) => topic)).toEqual([
      "user.created",
      "user.disabled",
      "user.enabled",
    ]);
  });

  it("says so only to who knows its password", async () => {
    const ada = await world.person();
    await world.users.disableUser({ id: ada.id }, admin.origin);
    const guess = world.auth.login({ email: ada.email, password: "something else" }, nobody());
    expect(await refusal(guess)).toBe("CREDENTIALS_INVALID");
  });

  it("is disabled by admins only, and by none their own", async () => {
    const ada = await world.person();
    expect(await refusal(world.users.disableUser({ id: admin.id }, ada.origin))).toBe("ACCESS_DENIED");
    expect(await refusal(world.users.disableUser({ id: admin.id }, admin.origin))).toBe("SELF_DISABLE_DENIED");
    expect(await refusal(world.users.disableUser({ id: crypto.randomUUID() }, admin.origin))).toBe("USER_NOT_FOUND");
  });

  it("keeps no session that a login opened in the same moment", async () => {
    for (let round = 0; round < 10; round += 1) {
      const ada = await world.person();
      const logins = Array.from({ length: 4 }, () => login(ada.email).catch(() => undefined));
      await world.users.disableUser({ id: ada.id }, admin.origin);
      await Promise.all(logins);
      const [row] = await world.database.sql<
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
    const ada = await world.person();
    const change = (to: Role) => world.users.updateUser({ user: { id: ada.id, role: to } }, admin.origin);
    if (role === Role.CUSTOMER) await change(Role.ADMIN);
    const before = await login(ada.email);
    await change(role);
    expect(await listed()).toContain(await sessionOf(before.accessToken));
    const refresh = world.auth.refreshToken({ refreshToken: before.refreshToken }, nobody());
    expect(await refusal(refresh)).toBe("REFRESH_TOKEN_INVALID");
    expect((await login(ada.email)).user?.role).toBe(role);
  });

  it("keeps its sessions where the role is the same", async () => {
    const ada = await world.person();
    await world.users.updateUser({ user: { id: ada.id, role: Role.CUSTOMER, name: "Augusta" } }, admin.origin);
    expect(await listed()).not.toContain(await sessionOf(ada.session.accessToken));
  });
});

describe("the clock of a process", () => {
  it.each([-600_000, 600_000])(
    "that is %i ms off hides no ended session from those who ask for what is new",
    async (ms) => {
      const [ada, ben] = [await world.person(), await world.person()];
      await world.auth.logout({}, ada.origin);
      const session = await sessionOf(ben.session.accessToken);
      const fetch = endedSessionsFrom(world.as("order").auth);
      const known = await fetch(undefined, new AbortController().signal);
      const newest = known.at(-1)?.time ?? new Date(0);
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
      try {
        await createSessionStore(world.database, createRefreshTokens("a key")).end(session);
      } finally {
        vi.useRealTimers();
      }
      // As far as a process looks back behind the newest end that it knows.
      const since = new Date(+newest - 60_000);
      const ids = (await fetch(since, new AbortController().signal)).map(({ sessionId }) => sessionId);
      expect(ids).toContain(session);
    },
  );
});
