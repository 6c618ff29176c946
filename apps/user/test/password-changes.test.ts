import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const next = "a new password of some length";
const login = (email: string, given: string) => world.auth.login({ email, password: given }, nobody());
const refresh = (refreshToken: string) => world.auth.refreshToken({ refreshToken }, nobody());

/** The resets that were asked for, as the notification service is told of them. */
async function resetsOf(userId: string): Promise<string[]> {
  const rows = await world.database.sql<{ payload: { resetId: string } }[]>`
    select payload from outbox where topic = 'user.password_reset_requested' and payload->>'userId' = ${userId} order by id`;
  return rows.map(({ payload }) => payload.resetId);
}
const tokenFor = async (resetId: string) =>
  (await world.as("notification").auth.createPasswordResetToken({ resetId }, nobody())).token;

async function askedReset() {
  const ada = await world.person();
  await world.auth.requestPasswordReset({ email: ada.email }, nobody());
  const [resetId = ""] = await resetsOf(ada.id);
  return { ada, resetId };
}

describe("a changed password", () => {
  it("replaces the old one and ends every session but the one that changed it", async () => {
    const ada = await world.person();
    const other = await login(ada.email, password);
    await world.auth.changePassword({ currentPassword: password, newPassword: next }, ada.origin);
    expect(await refusal(login(ada.email, password))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(login(ada.email, next))).toBe("none");
    expect(await refusal(refresh(other.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(ada.session.refreshToken))).toBe("none");
  });

  it("needs the current one, and a caller", async () => {
    const ada = await world.person();
    const guess = { currentPassword: "not the password", newPassword: next };
    expect(await refusal(world.auth.changePassword(guess, ada.origin))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(world.auth.changePassword(guess, nobody()))).toBe("CALLER_REQUIRED");
    expect(await refusal(login(ada.email, password))).toBe("none");
  });
});

describe("a password that was forgotten", () => {
  it("is set anew by the mail's token, once, and every session ends", async () => {
    const { ada, resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await world.auth.resetPassword({ token, newPassword: next }, nobody());
    expect(await refusal(login(ada.email, next))).toBe("none");
    expect(await refusal(login(ada.email, password))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(refresh(ada.session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    const again = world.auth.resetPassword({ token, newPassword: password }, nobody());
    expect(await refusal(again)).toBe("RESET_TOKEN_INVALID");
    expect(await refusal(tokenFor(resetId))).toBe("RESET_TOKEN_INVALID");
  });

  it("is answered the same, and by the clock too, where there is no such account", async () => {
    const ada = await world.person();
    const timed = async (email: string) => {
      const started = performance.now();
      const answer = await world.auth.requestPasswordReset({ email }, nobody());
      return { answer: Object.keys(answer), slow: performance.now() - started >= 145 };
    };
    const [known, unknown] = await Promise.all([timed(ada.email), timed(`${uuidv7()}@example.com`)]);
    expect(known).toEqual(unknown);
    expect(known.slow).toBe(true);
  });

  it("is told of without a token, an address or a name", async () => {
    const { ada, resetId } = await askedReset();
    const [event] = await world.database.sql<
      { payload: unknown }[]
    >`select payload from outbox where subject = ${resetId}`;
    expect(event?.payload).toEqual({ userId: ada.id, kind: "PASSWORD_RESET_REQUESTED", resetId });
  });

  it("keeps a token as a hash only, and the newest only", async () => {
    const { resetId } = await askedReset();
    const [first, second] = [await tokenFor(resetId), await tokenFor(resetId)];
    const rows = await world.database.sql`select row_to_json(r)::text as text from password_reset r`;
    expect(JSON.stringify(rows)).not.toContain(second);
    expect(world.logged.join()).not.toContain(second);
    expect(await refusal(world.auth.resetPassword({ token: first, newPassword: next }, nobody()))).toBe(
      "RESET_TOKEN_INVALID",
    );
    expect(await refusal(world.auth.resetPassword({ token: second, newPassword: next }, nobody()))).toBe("none");
  });

  it("has a link that expires", async () => {
    const { resetId } = await askedReset();
    const token = await tokenFor(resetId);
    await world.database.sql`update password_reset set expire_time = now() - interval '1 second' where id = ${resetId}`;
    const late = world.auth.resetPassword({ token, newPassword: next }, nobody());
    expect(await refusal(late)).toBe("RESET_TOKEN_INVALID");
    await world.open.schedules.find(({ name }) => name === "sweep-password-resets")?.run(new AbortController().signal);
    const left = await world.database.sql`select 1 from password_reset where id = ${resetId}`;
    expect(left).toHaveLength(0);
  });

  it("is mailed about three times an hour at the most", async () => {
    const ada = await world.person();
    for (let mail = 0; mail < 5; mail += 1) await world.auth.requestPasswordReset({ email: ada.email }, nobody());
    expect(await resetsOf(ada.id)).toHaveLength(3);
  });

  it("is mailed about no more often under another spelling of the address", async () => {
    const ada = await world.person({ email: `indigo.${uuidv7()}@example.com` });
    const [plain, upper, dotted] = [ada.email, ada.email.toUpperCase(), ada.email.replace("i", "\u0130")];
    for (const email of [dotted, plain, upper, plain, dotted, upper])
      await world.auth.requestPasswordReset({ email }, nobody());
    expect(await resetsOf(ada.id)).toHaveLength(3);
  });

  it("has a token for the notification service alone", async () => {
    const { ada, resetId } = await askedReset();
    const admin = await world.admin();
    for (const origin of [nobody(), ada.origin, admin.origin])
      expect(await refusal(world.auth.createPasswordResetToken({ resetId }, origin))).toBe("METHOD_UNKNOWN");
    const order = world.as("order").auth.createPasswordResetToken({ resetId }, bearer(ada.session.accessToken));
    expect(await refusal(order)).toBe("ACCESS_DENIED");
  });
});
