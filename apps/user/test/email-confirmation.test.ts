import { decodeJwt } from "jose";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createConfirmationStore } from "../src/one-time-tokens/confirmation-store.ts";
import { anonymous, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const newEmail = () => `${uuidv7()}@example.com`;
const confirm = (token: string) => fixture.auth.confirmEmail({ token }, anonymous());
const request = (email: string) => fixture.auth.requestEmailConfirmation({ email }, anonymous());
const userOf = async (id: string) => (await fixture.as("order").users.getUser({ id }, anonymous())).user;
const refresh = (refreshToken: string) => fixture.auth.refreshToken({ refreshToken }, anonymous());
const isConfirmed = async (id: string) => (await userOf(id))?.emailConfirmTime !== undefined;

type Person = Awaited<ReturnType<Fixture["person"]>>;
const move = (ada: Person, email: string) =>
  fixture.users.updateUser({ user: { id: ada.id, email, currentPassword: password } }, ada.origin);

async function tokens(userId: string): Promise<string[]> {
  const ids = await fixture.confirmationsOf(userId);
  return Promise.all(ids.map(fixture.confirmationToken));
}

/** Ages the last request, so that further ones are not coalesced with it. */
async function passFiveMinutes(): Promise<void> {
  await fixture.database.sql`update email_confirmation set create_time = create_time - interval '5 minutes'`;
}

async function resetByMail(ada: Person): Promise<void> {
  await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
  const [row] = await fixture.database.sql<{ id: string }[]>`
    select id from password_reset where account_id = ${ada.id}`;
  const asked = { resetId: row?.id ?? "" };
  const { token } = await fixture.as("notification").auth.createPasswordResetToken(asked, anonymous());
  await fixture.auth.resetPassword({ token, newPassword: "another password" }, anonymous());
}

describe("a new account", () => {
  it("has an unconfirmed address, and says so in its access token", async () => {
    const ada = await fixture.person();
    expect(await isConfirmed(ada.id)).toBe(false);
    expect(decodeJwt(ada.session.accessToken).email_verified).toBe(false);
    expect(await fixture.verifier.user(ada.session.accessToken)).toMatchObject({ emailConfirmed: false });
  });

  it("is confirmed by the mail's token, which its access token says from the next refresh on", async () => {
    const ada = await fixture.person();
    const [token = ""] = await tokens(ada.id);
    await confirm(token);
    expect(await isConfirmed(ada.id)).toBe(true);
    const { accessToken, user } = await refresh(ada.session.refreshToken);
    expect(decodeJwt(accessToken).email_verified).toBe(true);
    expect(user?.emailConfirmTime).toBeDefined();
    expect((await fixture.events(ada.id)).map(({ topic }) => topic)).toEqual(["user.created", "user.updated"]);
  });

  it("is confirmed once, by one who opens the link twice and at the same moment", async () => {
    const ada = await fixture.person();
    const [token = ""] = await tokens(ada.id);
    expect(await Promise.all([1, 2, 3].map(() => refusal(confirm(token))))).toEqual(["none", "none", "none"]);
    expect((await fixture.events(ada.id)).map(({ version }) => version)).toEqual([1, 2]);
  });

  it("is confirmed by a new password that was set by mail, too", async () => {
    const ada = await fixture.person();
    await resetByMail(ada);
    expect(await isConfirmed(ada.id)).toBe(true);
  });

  it("is not confirmed by a changed password, which shows no mailbox", async () => {
    const ada = await fixture.person();
    await fixture.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin);
    expect(await isConfirmed(ada.id)).toBe(false);
  });

  it("counts as confirmed where it was there before addresses were, and where it is the first admin's", async () => {
    const admin = await fixture.admin();
    expect(await isConfirmed(admin.id)).toBe(true);
    const [column] = await fixture.sql`
      select attmissingval::text as missing from pg_attribute
      where attrelid = '"user".account'::regclass and attname = 'email_confirm_time'`;
    // The value in rows that existed when the column was added.
    expect(column?.missing).toMatch(/^\{"?2/);
  });
});

describe("a token that confirms an address", () => {
  it("is none that was made up, nor one that has expired, was exchanged for a newer one or is a disabled account's", async () => {
    const [ada, ben, cleo] = [await fixture.person(), await fixture.person(), await fixture.person()];
    expect(await refusal(confirm("made up"))).toBe("CONFIRMATION_TOKEN_INVALID");
    const [first = ""] = await tokens(ada.id);
    const [second = ""] = await tokens(ada.id);
    expect(await refusal(confirm(first))).toBe("CONFIRMATION_TOKEN_INVALID");
    await fixture.database.sql`update email_confirmation set expire_time = now() where account_id = ${ada.id}`;
    expect(await refusal(confirm(second))).toBe("CONFIRMATION_TOKEN_INVALID");
    const [bens = ""] = await tokens(ben.id);
    await fixture.users.disableUser({ id: ben.id }, (await fixture.admin()).origin);
    expect(await refusal(confirm(bens))).toBe("CONFIRMATION_TOKEN_INVALID");
    expect(await isConfirmed(cleo.id)).toBe(false);
  });

  it("is for its address: once the account is to have another it is worth nothing", async () => {
    const ada = await fixture.person();
    const [old = ""] = await tokens(ada.id);
    const [first, second] = [newEmail(), newEmail()];
    await move(ada, first);
    const firstToken = await fixture.confirmationToken((await fixture.confirmationsOf(ada.id)).at(-1) ?? "");
    await move(ada, second);
    for (const token of [old, firstToken]) expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
    expect(await userOf(ada.id)).toMatchObject({ email: ada.email, pendingEmail: second });
  });

  it("is made for the notification service alone, and kept as a hash only", async () => {
    const ada = await fixture.person();
    const [confirmationId = ""] = await fixture.confirmationsOf(ada.id);
    const admin = await fixture.admin();
    for (const origin of [anonymous(), ada.origin, admin.origin]) {
      expect(await refusal(fixture.auth.createEmailConfirmationToken({ confirmationId }, origin))).toBe(
        "METHOD_UNKNOWN",
      );
      expect(await refusal(fixture.auth.getEmailConfirmation({ confirmationId }, origin))).toBe("METHOD_UNKNOWN");
    }
    const [token = ""] = await tokens(ada.id);
    const rows = await fixture.database.sql`select c::text from email_confirmation c`;
    const events = await fixture.database.sql`select payload::text from outbox`;
    expect(JSON.stringify([...rows, ...events])).not.toContain(token);
    expect(fixture.logged.join()).not.toContain(token);
    expect(JSON.stringify(events)).not.toContain(ada.email);
  });
});

describe("a new address of an account", () => {
  it("takes effect when it is confirmed, and not before", async () => {
    const ada = await fixture.person();
    await fixture.confirm(ada.id);
    const next = newEmail();
    const { user } = await move(ada, next);
    expect(user).toMatchObject({ email: ada.email, pendingEmail: next });
    expect(await refusal(fixture.auth.login({ email: next, password }, anonymous()))).toBe("CREDENTIALS_INVALID");
    await fixture.confirm(ada.id);
    expect(await userOf(ada.id)).toMatchObject({ email: next, pendingEmail: "" });
    expect(await refusal(fixture.auth.login({ email: next, password }, anonymous()))).toBe("none");
    expect(await refusal(fixture.auth.login({ email: ada.email, password }, anonymous()))).toBe("CREDENTIALS_INVALID");
  });

  it("is available with the old one, for the mail that goes there", async () => {
    const ada = await fixture.person();
    const next = newEmail();
    await move(ada, next);
    await fixture.confirm(ada.id);
    const [event] = await fixture.database.sql<{ payload: { confirmationId: string } }[]>`
      select payload from outbox where topic = 'user.email_changed' and payload->>'userId' = ${ada.id}`;
    const asked = { confirmationId: event?.payload.confirmationId ?? "" };
    const confirmation = await fixture.as("notification").auth.getEmailConfirmation(asked, anonymous());
    expect(confirmation).toMatchObject({ userId: ada.id, email: next, previousEmail: ada.email });
  });

  it("of an account that an admin changes waits for its owner, too", async () => {
    const [ada, admin] = [await fixture.person(), await fixture.admin()];
    const { user } = await fixture.users.updateUser({ user: { id: ada.id, email: newEmail() } }, admin.origin);
    expect(user?.email).toBe(ada.email);
  });

  it("is taken back by giving the one that the account has", async () => {
    const ada = await fixture.person();
    await move(ada, newEmail());
    const token = await fixture.confirmationToken((await fixture.confirmationsOf(ada.id)).at(-1) ?? "");
    const { user } = await move(ada, ada.email);
    expect(user?.pendingEmail).toBe("");
    expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
  });

  it.each<[string, (ada: Person) => Promise<unknown>]>([
    ["the owner sets a new password by mail", async (ada) => resetByMail(ada)],
    [
      "the owner changes the password",
      async (ada) =>
        fixture.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin),
    ],
    [
      "an admin disables the account and opens it again",
      async (ada) => {
        const { origin } = await fixture.admin();
        await fixture.users.disableUser({ id: ada.id }, origin);
        await fixture.users.enableUser({ id: ada.id }, origin);
      },
    ],
  ])(
    "is given up when %s: a thief may have asked for it, whose link must not give the account away",
    async (_, end) => {
      const ada = await fixture.person();
      const stolen = newEmail();
      await move(ada, stolen);
      const token = await fixture.confirmationToken((await fixture.confirmationsOf(ada.id)).at(-1) ?? "");
      await end(ada);
      expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
      expect(await userOf(ada.id)).toMatchObject({ email: ada.email, pendingEmail: "" });
      const sent = await fixture.confirmationsOf(ada.id);
      await request(stolen);
      expect(await fixture.confirmationsOf(ada.id)).toEqual(sent);
    },
  );

  it("that differs by its case only is the same mailbox, and takes effect at once", async () => {
    const ada = await fixture.person();
    await fixture.confirm(ada.id);
    const { user } = await move(ada, ada.email.toUpperCase());
    expect(user).toMatchObject({ email: ada.email.toUpperCase(), pendingEmail: "" });
    expect(user?.emailConfirmTime).toBeDefined();
  });

  it("is the first one's who confirms it, where two accounts are to have it", async () => {
    const [ada, ben] = [await fixture.person(), await fixture.person()];
    const wanted = newEmail();
    await move(ada, wanted);
    await move(ben, wanted);
    const outcomes = await Promise.all([ada, ben].map(({ id }) => refusal(fixture.confirm(id))));
    expect(outcomes.toSorted()).toEqual(["EMAIL_TAKEN", "none"]);
  });

  it("can be named ten times an hour: each is sent a mail", async () => {
    const ada = await fixture.person();
    const named: string[] = [];
    for (let n = 0; n < 11; n += 1) named.push(await refusal(move(ada, newEmail())));
    expect(named).toEqual([...Array.from({ length: 10 }, () => "none"), "TOO_MANY_ATTEMPTS"]);
  });
});

describe("RequestEmailConfirmation", () => {
  it("sends another link to an address that waits, three an hour at the most", async () => {
    const ada = await fixture.person();
    for (let n = 0; n < 5; n += 1) {
      await passFiveMinutes();
      await request(ada.email.toUpperCase());
    }
    expect(await fixture.confirmationsOf(ada.id)).toHaveLength(4);
    await fixture.confirm(ada.id);
    expect(await isConfirmed(ada.id)).toBe(true);
  });

  it("sends one to a new address of an account", async () => {
    const ada = await fixture.person();
    await fixture.confirm(ada.id);
    const next = newEmail();
    await move(ada, next);
    await passFiveMinutes();
    await request(next);
    await fixture.confirm(ada.id);
    expect((await userOf(ada.id))?.email).toBe(next);
  });

  it("sends none within five minutes of the last, however many ask at once", async () => {
    const ada = await fixture.person();
    const store = createConfirmationStore(fixture.database);
    const ask = () =>
      Promise.all(
        Array.from({ length: 8 }, () => store.request({ userId: ada.id, email: ada.email, traceparent: "" })),
      );
    await ask();
    expect(await fixture.confirmationsOf(ada.id)).toHaveLength(1);
    await passFiveMinutes();
    await ask();
    expect(await fixture.confirmationsOf(ada.id)).toHaveLength(2);
  });

  it("answers the same, and after the same time, for an address that is pending, confirmed, or unknown", async () => {
    const [ada, ben] = [await fixture.person(), await fixture.person()];
    await fixture.confirm(ben.id);
    const before = await fixture.confirmationsOf(ben.id);
    const timed = async (email: string) => {
      const started = performance.now();
      const answer = await request(email);
      return { answer: Object.keys(answer), slow: performance.now() - started >= 145 };
    };
    const [waiting, ...others] = await Promise.all([ada.email, ben.email, newEmail()].map(timed));
    expect(waiting?.slow).toBe(true);
    for (const other of others) expect(other).toEqual(waiting);
    expect(await fixture.confirmationsOf(ben.id)).toEqual(before);
  });
});

describe("a password that was changed", () => {
  it("is published with the account's id alone", async () => {
    const ada = await fixture.person();
    await fixture.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin);
    const events = await fixture.database.sql`
      select payload from outbox where topic = 'user.password_changed' and payload->>'userId' = ${ada.id}`;
    expect(events.map(({ payload }) => payload)).toEqual([{ userId: ada.id, kind: "PASSWORD_CHANGED" }]);
  });
});
