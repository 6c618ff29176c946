import { decodeJwt } from "jose";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createConfirmationStore } from "../src/one-time-tokens/confirmation-store.ts";
import { nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const newEmail = () => `${uuidv7()}@example.com`;
const confirm = (token: string) => world.auth.confirmEmail({ token }, nobody());
const request = (email: string) => world.auth.requestEmailConfirmation({ email }, nobody());
const userOf = async (id: string) => (await world.as("order").users.getUser({ id }, nobody())).user;
const refresh = (refreshToken: string) => world.auth.refreshToken({ refreshToken }, nobody());
const isConfirmed = async (id: string) => (await userOf(id))?.emailConfirmTime !== undefined;

type Person = Awaited<ReturnType<World["person"]>>;
const move = (ada: Person, email: string) =>
  world.users.updateUser({ user: { id: ada.id, email, currentPassword: password } }, ada.origin);

async function tokens(userId: string): Promise<string[]> {
  const ids = await world.confirmationsOf(userId);
  return Promise.all(ids.map(world.confirmationToken));
}

/** Lets further requests be more than a repetition of the last one. */
async function passFiveMinutes(): Promise<void> {
  await world.database.sql`update email_confirmation set create_time = create_time - interval '5 minutes'`;
}

async function resetByMail(ada: Person): Promise<void> {
  await world.auth.requestPasswordReset({ email: ada.email }, nobody());
  const [row] = await world.database.sql<{ id: string }[]>`
    select id from password_reset where account_id = ${ada.id}`;
  const asked = { resetId: row?.id ?? "" };
  const { token } = await world.as("notification").auth.createPasswordResetToken(asked, nobody());
  await world.auth.resetPassword({ token, newPassword: "another password" }, nobody());
}

describe("a new account", () => {
  it("has an address that nobody has confirmed, and says so in its access token", async () => {
    const ada = await world.person();
    expect(await isConfirmed(ada.id)).toBe(false);
    expect(decodeJwt(ada.session.accessToken).email_verified).toBe(false);
    expect(await world.verifier.user(ada.session.accessToken)).toMatchObject({ emailConfirmed: false });
  });

  it("is confirmed by the mail's token, which its access token says from the next refresh on", async () => {
    const ada = await world.person();
    const [token = ""] = await tokens(ada.id);
    await confirm(token);
    expect(await isConfirmed(ada.id)).toBe(true);
    const { accessToken, user } = await refresh(ada.session.refreshToken);
    expect(decodeJwt(accessToken).email_verified).toBe(true);
    expect(user?.emailConfirmTime).toBeDefined();
    expect((await world.events(ada.id)).map(({ topic }) => topic)).toEqual(["user.created", "user.updated"]);
  });

  it("is confirmed once, by one who opens the link twice and at the same moment", async () => {
    const ada = await world.person();
    const [token = ""] = await tokens(ada.id);
    expect(await Promise.all([1, 2, 3].map(() => refusal(confirm(token))))).toEqual(["none", "none", "none"]);
    expect((await world.events(ada.id)).map(({ version }) => version)).toEqual([1, 2]);
  });

  it("is confirmed by a new password that was set by mail, too", async () => {
    const ada = await world.person();
    await resetByMail(ada);
    expect(await isConfirmed(ada.id)).toBe(true);
  });

  it("is not confirmed by a changed password, which shows no mailbox", async () => {
    const ada = await world.person();
    await world.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin);
    expect(await isConfirmed(ada.id)).toBe(false);
  });

  it("counts as confirmed where it was there before addresses were, and where it is the first admin's", async () => {
    const admin = await world.admin();
    expect(await isConfirmed(admin.id)).toBe(true);
    const [column] = await world.sql`
      select attmissingval::text as missing from pg_attribute
      where attrelid = '"user".account'::regclass and attname = 'email_confirm_time'`;
    // What rows have that were there when the column was added.
    expect(column?.missing).toMatch(/^\{"?2/);
  });
});

describe("a token that confirms an address", () => {
  it("is none that was made up, nor one that has expired, was exchanged for a newer one or is a disabled account's", async () => {
    const [ada, ben, cleo] = [await world.person(), await world.person(), await world.person()];
    expect(await refusal(confirm("made up"))).toBe("CONFIRMATION_TOKEN_INVALID");
    const [first = ""] = await tokens(ada.id);
    const [second = ""] = await tokens(ada.id);
    expect(await refusal(confirm(first))).toBe("CONFIRMATION_TOKEN_INVALID");
    await world.database.sql`update email_confirmation set expire_time = now() where account_id = ${ada.id}`;
    expect(await refusal(confirm(second))).toBe("CONFIRMATION_TOKEN_INVALID");
    const [bens = ""] = await tokens(ben.id);
    await world.users.disableUser({ id: ben.id }, (await world.admin()).origin);
    expect(await refusal(confirm(bens))).toBe("CONFIRMATION_TOKEN_INVALID");
    expect(await isConfirmed(cleo.id)).toBe(false);
  });

  it("is for its address: once the account is to have another it is worth nothing", async () => {
    const ada = await world.person();
    const [old = ""] = await tokens(ada.id);
    const [first, second] = [newEmail(), newEmail()];
    await move(ada, first);
    const firstToken = await world.confirmationToken((await world.confirmationsOf(ada.id)).at(-1) ?? "");
    await move(ada, second);
    for (const token of [old, firstToken]) expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
    expect(await userOf(ada.id)).toMatchObject({ email: ada.email, pendingEmail: second });
  });

  it("is made for the notification service alone, and kept as a hash only", async () => {
    const ada = await world.person();
    const [confirmationId = ""] = await world.confirmationsOf(ada.id);
    const admin = await world.admin();
    for (const origin of [nobody(), ada.origin, admin.origin]) {
      expect(await refusal(world.auth.createEmailConfirmationToken({ confirmationId }, origin))).toBe("METHOD_UNKNOWN");
      expect(await refusal(world.auth.getEmailConfirmation({ confirmationId }, origin))).toBe("METHOD_UNKNOWN");
    }
    const [token = ""] = await tokens(ada.id);
    const rows = await world.database.sql`select c::text from email_confirmation c`;
    const events = await world.database.sql`select payload::text from outbox`;
    expect(JSON.stringify([...rows, ...events])).not.toContain(token);
    expect(world.logged.join()).not.toContain(token);
    expect(JSON.stringify(events)).not.toContain(ada.email);
  });
});

describe("a new address of an account", () => {
  it("takes effect when it is confirmed, and not before", async () => {
    const ada = await world.person();
    await world.confirm(ada.id);
    const next = newEmail();
    const { user } = await move(ada, next);
    expect(user).toMatchObject({ email: ada.email, pendingEmail: next });
    expect(await refusal(world.auth.login({ email: next, password }, nobody()))).toBe("CREDENTIALS_INVALID");
    await world.confirm(ada.id);
    expect(await userOf(ada.id)).toMatchObject({ email: next, pendingEmail: "" });
    expect(await refusal(world.auth.login({ email: next, password }, nobody()))).toBe("none");
    expect(await refusal(world.auth.login({ email: ada.email, password }, nobody()))).toBe("CREDENTIALS_INVALID");
  });

  it("is told with the old one, for the mail that goes there", async () => {
    const ada = await world.person();
    const next = newEmail();
    await move(ada, next);
    await world.confirm(ada.id);
    const [event] = await world.database.sql<{ payload: { confirmationId: string } }[]>`
      select payload from outbox where topic = 'user.email_changed' and payload->>'userId' = ${ada.id}`;
    const asked = { confirmationId: event?.payload.confirmationId ?? "" };
    const told = await world.as("notification").auth.getEmailConfirmation(asked, nobody());
    expect(told).toMatchObject({ userId: ada.id, email: next, previousEmail: ada.email });
  });

  it("of an account that an admin changes waits for its owner, too", async () => {
    const [ada, admin] = [await world.person(), await world.admin()];
    const { user } = await world.users.updateUser({ user: { id: ada.id, email: newEmail() } }, admin.origin);
    expect(user?.email).toBe(ada.email);
  });

  it("is taken back by giving the one that the account has", async () => {
    const ada = await world.person();
    await move(ada, newEmail());
    const token = await world.confirmationToken((await world.confirmationsOf(ada.id)).at(-1) ?? "");
    const { user } = await move(ada, ada.email);
    expect(user?.pendingEmail).toBe("");
    expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
  });

  it.each<[string, (ada: Person) => Promise<unknown>]>([
    ["the owner sets a new password by mail", async (ada) => resetByMail(ada)],
    [
      "the owner changes the password",
      async (ada) =>
        world.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin),
    ],
    [
      "an admin disables the account and opens it again",
      async (ada) => {
        const { origin } = await world.admin();
        await world.users.disableUser({ id: ada.id }, origin);
        await world.users.enableUser({ id: ada.id }, origin);
      },
    ],
  ])(
    "is given up when %s: a thief may have asked for it, whose link must not give the account away",
    async (_, end) => {
      const ada = await world.person();
      const stolen = newEmail();
      await move(ada, stolen);
      const token = await world.confirmationToken((await world.confirmationsOf(ada.id)).at(-1) ?? "");
      await end(ada);
      expect(await refusal(confirm(token))).toBe("CONFIRMATION_TOKEN_INVALID");
      expect(await userOf(ada.id)).toMatchObject({ email: ada.email, pendingEmail: "" });
      const sent = await world.confirmationsOf(ada.id);
      await request(stolen);
      expect(await world.confirmationsOf(ada.id)).toEqual(sent);
    },
  );

  it("that differs by its case only is the same mailbox, and takes effect at once", async () => {
    const ada = await world.person();
    await world.confirm(ada.id);
    const { user } = await move(ada, ada.email.toUpperCase());
    expect(user).toMatchObject({ email: ada.email.toUpperCase(), pendingEmail: "" });
    expect(user?.emailConfirmTime).toBeDefined();
  });

  it("is the first one's who confirms it, where two accounts are to have it", async () => {
    const [ada, ben] = [await world.person(), await world.person()];
    const wanted = newEmail();
    await move(ada, wanted);
    await move(ben, wanted);
    const outcomes = await Promise.all([ada, ben].map(({ id }) => refusal(world.confirm(id))));
    expect(outcomes.toSorted()).toEqual(["EMAIL_TAKEN", "none"]);
  });

  it("can be named ten times an hour: each is sent a mail", async () => {
    const ada = await world.person();
    const named: string[] = [];
    for (let n = 0; n < 11; n += 1) named.push(await refusal(move(ada, newEmail())));
    expect(named).toEqual([...Array.from({ length: 10 }, () => "none"), "TOO_MANY_ATTEMPTS"]);
  });
});

describe("RequestEmailConfirmation", () => {
  it("sends another link to an address that waits, three an hour at the most", async () => {
    const ada = await world.person();
    for (let n = 0; n < 5; n += 1) {
      await passFiveMinutes();
      await request(ada.email.toUpperCase());
    }
    expect(await world.confirmationsOf(ada.id)).toHaveLength(4);
    await world.confirm(ada.id);
    expect(await isConfirmed(ada.id)).toBe(true);
  });

  it("sends one to a new address of an account", async () => {
    const ada = await world.person();
    await world.confirm(ada.id);
    const next = newEmail();
    await move(ada, next);
    await passFiveMinutes();
    await request(next);
    await world.confirm(ada.id);
    expect((await userOf(ada.id))?.email).toBe(next);
  });

  it("sends none within five minutes of the last, however many ask at once", async () => {
    const ada = await world.person();
    const store = createConfirmationStore(world.database);
    const ask = () =>
      Promise.all(
        Array.from({ length: 8 }, () => store.request({ userId: ada.id, email: ada.email, traceparent: "" })),
      );
    await ask();
    expect(await world.confirmationsOf(ada.id)).toHaveLength(1);
    await passFiveMinutes();
    await ask();
    expect(await world.confirmationsOf(ada.id)).toHaveLength(2);
  });

  it("answers the same, and by the clock too, for an address that waits, that is confirmed, and that nobody has", async () => {
    const [ada, ben] = [await world.person(), await world.person()];
    await world.confirm(ben.id);
    const before = await world.confirmationsOf(ben.id);
    const timed = async (email: string) => {
      const started = performance.now();
      const answer = await request(email);
      return { answer: Object.keys(answer), slow: performance.now() - started >= 145 };
    };
    const [waiting, ...others] = await Promise.all([ada.email, ben.email, newEmail()].map(timed));
    expect(waiting?.slow).toBe(true);
    for (const other of others) expect(other).toEqual(waiting);
    expect(await world.confirmationsOf(ben.id)).toEqual(before);
  });
});

describe("a password that was changed", () => {
  it("is told to who sends mails, by the account's id alone", async () => {
    const ada = await world.person();
    await world.auth.changePassword({ currentPassword: password, newPassword: "another password" }, ada.origin);
    const events = await world.database.sql`
      select payload from outbox where topic = 'user.password_changed' and payload->>'userId' = ${ada.id}`;
    expect(events.map(({ payload }) => payload)).toEqual([{ userId: ada.id, kind: "PASSWORD_CHANGED" }]);
  });
});
