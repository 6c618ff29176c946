import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createResetStore } from "../src/one-time-tokens/reset-store.ts";
import { anonymous, bearer, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const next = "a new password of some length";
const login = (email: string, given: string) => fixture.auth.login({ email, password: given }, anonymous());
const refresh = (refreshToken: string) => fixture.auth.refreshToken({ refreshToken }, anonymous());

/** The requested resets, as the notification service receives them. */
async function resetsOf(userId: string): Promise<string[]> {
  const rows = await fixture.database.sql<{ payload: { resetId: string } }[]>`
    select payload from outbox where topic = 'user.password_reset_requested' and payload->>'userId' = ${userId} order by id`;
  return rows.map(({ payload }) => payload.resetId);
}
const tokenFor = async (resetId: string) =>
  (await fixture.as("notification").auth.createPasswordResetToken({ resetId }, anonymous())).token;

/** Ages the last request, so that further ones are not coalesced with it. */
async function passFiveMinutes(): Promise<void> {
  await fixture.database.sql`update password_reset set create_time = create_time - interval '5 minutes'`;
}

type Person = Awaited<ReturnType<Fixture["person"]>>;

async function askedReset() {
  const ada = await fixture.person();
  await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
  const [resetId = ""] = await resetsOf(ada.id);
  return { ada, resetId };
}

describe("a changed password", () => {
  it("replaces the old one and ends every session but the one that changed it", async () => {
    const ada = await fixture.person();
    const other = await login(ada.email, password);
    await fixture.auth.changePassword({ currentPassword: password, newPassword: next }, ada.origin);
    expect(await refusal(login(ada.email, password))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(login(ada.email, next))).toBe("none");
    expect(await refusal(refresh(other.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(ada.session.refreshToken))).toBe("none");
  });

  it("needs the current one, and a caller", async () => {
    const ada = await fixture.person();
    const guess = { currentPassword: "not the password", newPassword: next };
    expect(await refusal(fixture.auth.changePassword(guess, ada.origin))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(fixture.auth.changePassword(guess, anonymous()))).toBe("CALLER_REQUIRED");
    expect(await refusal(login(ada.email, password))).toBe("none");
  });
});

describe("a link that was asked for before", () => {
  const changes = {
    "the address was changed": async ({ id, origin }: Person) => {
      await fixture.users.updateUser(
        { user: { id, email: `${uuidv7()}@example.com`, currentPassword: password } },
        origin,
      );
      await fixture.confirm(id);
    },
    "the password was changed": async ({ origin }: Person) => {
      await fixture.auth.changePassword({ currentPassword: password, newPassword: next }, origin);
    },
    "the account was disabled, also when it is open again": async ({ id }: Person) => {
      const { origin } = await fixture.admin();
      await fixture.users.disableUser({ id }, origin);
      await fixture.users.enableUser({ id }, origin);
    },
  };

  it.each(Object.entries(changes))("is good for nothing once %s, whether it was sent or not", async (_, change) => {
    const { ada, resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await passFiveMinutes();
    await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
    const [, queued = ""] = await resetsOf(ada.id);
    await change(ada);
    const spent = fixture.auth.resetPassword({ token, newPassword: "the password of a thief" }, anonymous());
    expect(await refusal(spent)).toBe("RESET_TOKEN_INVALID");
    for (const id of [resetId, queued]) expect(await refusal(tokenFor(id))).toBe("RESET_TOKEN_INVALID");
  });

  it("is good once the name was changed", async () => {
    const { ada, resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await fixture.users.updateUser({ user: { id: ada.id, name: "Ada King" } }, ada.origin);
    expect(await refusal(fixture.auth.resetPassword({ token, newPassword: next }, anonymous()))).toBe("none");
  });

  it("sets no password of an account that is disabled, as an older version may have left one", async () => {
    const { ada, resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await fixture.database.sql`update account set disable_time = now() where id = ${ada.id}`;
    expect(await refusal(fixture.auth.resetPassword({ token, newPassword: next }, anonymous()))).toBe(
      "RESET_TOKEN_INVALID",
    );
  });

  it("is none where it was asked for as the account was being disabled", async () => {
    const ada = await fixture.person();
    const { sql } = fixture.database;
    const asked = await sql.begin(async (tx) => {
      await tx`update account set disable_time = now() where id = ${ada.id}`;
      // Sees the account as it was, until it gets the lock.
      const request = createResetStore({ sql }).request({ userId: ada.id, traceparent: "" });
      const waits = () => sql`
        select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      await expect.poll(waits).toHaveLength(1);
      return { request };
    });
    await asked.request;
    expect(await resetsOf(ada.id)).toEqual([]);
    expect(await sql`select 1 from password_reset where account_id = ${ada.id}`).toEqual([]);
  });
});

describe("a password that was forgotten", () => {
  it("is set anew by the mail's token, once, and every session ends", async () => {
    const { ada, resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await fixture.auth.resetPassword({ token, newPassword: next }, anonymous());
    expect(await refusal(login(ada.email, next))).toBe("none");
    expect(await refusal(login(ada.email, password))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(refresh(ada.session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    const again = fixture.auth.resetPassword({ token, newPassword: password }, anonymous());
    expect(await refusal(again)).toBe("RESET_TOKEN_INVALID");
    expect(await refusal(tokenFor(resetId))).toBe("RESET_TOKEN_INVALID");
  });

  it("is set by one of two links that are used at the same moment", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { ada, resetId } = await askedReset();
      await passFiveMinutes();
      await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
      const [, otherId = ""] = await resetsOf(ada.id);
      const tokens = [await tokenFor(resetId), await tokenFor(otherId)];
      const uses = tokens.map((token) =>
        refusal(fixture.auth.resetPassword({ token, newPassword: next }, anonymous())),
      );
      expect((await Promise.all(uses)).sort()).toEqual(["RESET_TOKEN_INVALID", "none"]);
    }
  });

  it("is answered the same, and after the same time, if there is no such account", async () => {
    const ada = await fixture.person();
    const timed = async (email: string) => {
      const started = performance.now();
      const answer = await fixture.auth.requestPasswordReset({ email }, anonymous());
      return { answer: Object.keys(answer), slow: performance.now() - started >= 145 };
    };
    const [known, unknown] = await Promise.all([timed(ada.email), timed(`${uuidv7()}@example.com`)]);
    expect(known).toEqual(unknown);
    expect(known.slow).toBe(true);
  });

  it("is published without a token, an address or a name", async () => {
    const { ada, resetId } = await askedReset();
    const [event] = await fixture.database.sql<
      { payload: unknown }[]
    >`select payload from outbox where subject = ${resetId}`;
    expect(event?.payload).toEqual({ userId: ada.id, kind: "PASSWORD_RESET_REQUESTED", resetId });
  });

  it("keeps a token as a hash only, and the newest only", async () => {
    const { resetId } = await askedReset();
    const [first, second] = [await tokenFor(resetId), await tokenFor(resetId)];
    const rows = await fixture.database.sql`select row_to_json(r)::text as text from password_reset r`;
    expect(JSON.stringify(rows)).not.toContain(second);
    expect(fixture.logged.join()).not.toContain(second);
    expect(await refusal(fixture.auth.resetPassword({ token: first, newPassword: next }, anonymous()))).toBe(
      "RESET_TOKEN_INVALID",
    );
    expect(await refusal(fixture.auth.resetPassword({ token: second, newPassword: next }, anonymous()))).toBe("none");
  });

  it("has a link that expires", async () => {
    const { resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await fixture.database
      .sql`update password_reset set expire_time = now() - interval '1 second' where id = ${resetId}`;
    const late = fixture.auth.resetPassword({ token, newPassword: next }, anonymous());
    expect(await refusal(late)).toBe("RESET_TOKEN_INVALID");
    await fixture.open.schedules
      .find(({ name }) => name === "sweep-password-resets")
      ?.run(new AbortController().signal);
    const left = await fixture.database.sql`select 1 from password_reset where id = ${resetId}`;
    expect(left).toHaveLength(0);
  });

  it("is mailed about three times an hour at the most for one who asks", async () => {
    const ada = await fixture.person();
    for (let mail = 0; mail < 5; mail += 1) {
      await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
      await passFiveMinutes();
    }
    expect(await resetsOf(ada.id)).toHaveLength(3);
  });

  it("is mailed about once in five minutes, however many ask at once", async () => {
    const ada = await fixture.person();
    const { sql } = fixture.database;
    const { request } = createResetStore({ sql });
    const ask = () => Promise.all(Array.from({ length: 8 }, () => request({ userId: ada.id, traceparent: "" })));
    await ask();
    expect(await resetsOf(ada.id)).toHaveLength(1);
    await passFiveMinutes();
    await ask();
    expect(await resetsOf(ada.id)).toHaveLength(2);
  });

  it("is mailed about again at once where the last link was used", async () => {
    const { ada, resetId } = await askedReset();
    await fixture.auth.resetPassword({ token: await tokenFor(resetId), newPassword: next }, anonymous());
    await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
    expect(await resetsOf(ada.id)).toHaveLength(2);
  });

  it("is mailed about no more often under another spelling of the address", async () => {
    const ada = await fixture.person({ email: `indigo.${uuidv7()}@example.com` });
    const [plain, upper, dotted] = [ada.email, ada.email.toUpperCase(), ada.email.replace("i", "\u0130")];
    for (const email of [dotted, plain, upper, plain, dotted, upper]) {
      await fixture.auth.requestPasswordReset({ email }, anonymous());
      await passFiveMinutes();
    }
    expect(await resetsOf(ada.id)).toHaveLength(3);
  });

  it("goes by the clock of Postgres: a link is as good in a process whose clock is an hour off", async () => {
    const { resetId } = await askedReset();
    const token = await tokenFor(resetId);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      expect(await refusal(fixture.auth.resetPassword({ token, newPassword: next }, anonymous()))).toBe("none");
    } finally {
      vi.useRealTimers();
    }
  });

  it("has a token for the notification service alone", async () => {
    const { ada, resetId } = await askedReset();
    const admin = await fixture.admin();
    for (const origin of [anonymous(), ada.origin, admin.origin])
      expect(await refusal(fixture.auth.createPasswordResetToken({ resetId }, origin))).toBe("METHOD_UNKNOWN");
    const order = fixture.as("order").auth.createPasswordResetToken({ resetId }, bearer(ada.session.accessToken));
    expect(await refusal(order)).toBe("ACCESS_DENIED");
  });
});
