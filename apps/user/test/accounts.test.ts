import { setTimeout as sleep } from "node:timers/promises";
import { Role } from "@rialto/contracts";
import { repeatWhileInUse } from "@rialto/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anonymous, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const newEmail = () => `${uuidv7()}@Example.com`;
const open = (email: string, o?: { idempotencyKey: string }) =>
  fixture.users.createUser({ email, name: "Ada", password }, anonymous(), o);

describe("CreateUser", () => {
  it("opens a customer's account, with the address as it was given and without the password", async () => {
    const email = newEmail();
    const { user } = await open(email);
    expect(user).toMatchObject({ email, name: "Ada", role: Role.CUSTOMER });
    expect(JSON.stringify(user, (_key, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
      password,
    );
  });

  it("says that the account was opened, and nothing about the person", async () => {
    const wakesBefore = fixture.wakes();
    const { user } = await open(newEmail());
    expect(await fixture.events(user?.id ?? "")).toEqual([
      {
        topic: "user.created",
        version: 1,
        payload: { userId: user?.id, kind: "CREATED", confirmationId: expect.any(String) },
      },
    ]);
    expect(fixture.wakes()).toBeGreaterThan(wakesBefore);
  });

  it("refuses an address that is taken, in whichever case, and names the field", async () => {
    const email = newEmail();
    await open(email);
    const error = await open(email.toUpperCase()).catch((cause) => cause);
    expect(error).toMatchObject({ reason: "EMAIL_TAKEN", code: "already_exists", fields: [{ field: "email" }] });
  });

  it("gives an address to one of many who ask for it at once, in any case, in two processes", async () => {
    const email = newEmail();
    const other = await fixture.start();
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, n) => {
        const { users } = n % 2 === 0 ? fixture : other;
        const request = { email: n % 3 === 0 ? email.toLowerCase() : email.toUpperCase(), name: "Ada", password };
        return refusal(users.createUser(request, anonymous()));
      }),
    );
    expect(outcomes.toSorted()).toEqual([...Array.from({ length: 11 }, () => "EMAIL_TAKEN"), "none"]);
  });

  it("opens one account for one idempotency key, and answers as the first time", async () => {
    const email = newEmail();
    const idempotencyKey = uuidv7();
    const sent: ReturnType<typeof open>[] = [];
    // One after the other, so that some begin just as another commits.
    for (let n = 0; n < 40; n++) {
      sent.push(repeatWhileInUse(() => open(email, { idempotencyKey })));
      await sleep(1);
    }
    const [first, ...others] = await Promise.all(sent);
    for (const answer of others) expect(answer).toEqual(first);
    expect(await refusal(open(newEmail(), { idempotencyKey }))).toBe("IDEMPOTENCY_KEY_REUSED");
    expect((await fixture.events(first?.user?.id ?? "")).length).toBe(1);
  });

  it("keeps nothing with a key that a password could be guessed by", async () => {
    const email = newEmail();
    const idempotencyKey = uuidv7();
    const first = await open(email, { idempotencyKey });
    const rows = await fixture.database.sql<{ caller: string }[]>`
      select caller, encode(fingerprint, 'hex'), response from idempotency where key = ${idempotencyKey}`;
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(password);
    // The fingerprint does not depend on the password, so it reveals nothing about it.
    const another = { email, name: "Ada", password: "another long password" };
    expect(await fixture.users.createUser(another, anonymous(), { idempotencyKey })).toEqual(first);
  });

  it("keeps no key for what it refused", async () => {
    const email = newEmail();
    const taken = await open(email);
    const idempotencyKey = uuidv7();
    expect(await refusal(open(email, { idempotencyKey }))).toBe("EMAIL_TAKEN");
    const moved = { id: taken.user?.id ?? "", email: newEmail() };
    await fixture.users.updateUser({ user: moved }, (await fixture.admin()).origin);
    await fixture.confirm(moved.id);
    expect(await refusal(open(email, { idempotencyKey }))).toBe("none");
  });

  it("takes no name of several lines, and says which field and rule it is: it would be read as a message of ours", async () => {
    const request = { email: newEmail(), name: "Ada\r\n\r\nYou have won: evil.example", password };
    const error = await fixture.users.createUser(request, anonymous()).catch((cause) => cause);
    expect(error).toMatchObject({ reason: "INVALID_REQUEST", fields: [{ field: "name", rule: "string.one_line" }] });
  });

  it("wants an address, a name and a password of eight characters", async () => {
    const given = { email: newEmail(), name: "Ada", password };
    for (const wrong of [{ email: "ada" }, { name: "" }, { password: "1234567" }])
      expect(await refusal(fixture.users.createUser({ ...given, ...wrong }, anonymous()))).toBe("INVALID_REQUEST");
  });
});

describe("GetUser", () => {
  it("shows a customer their own account, and no other", async () => {
    const [ada, ben] = await Promise.all([fixture.person(), fixture.person()]);
    expect((await fixture.users.getUser({ id: ada.id }, ada.origin)).user?.email).toBe(ada.email);
    expect((await fixture.users.getUser({ id: ada.id.toUpperCase() }, ada.origin)).user?.email).toBe(ada.email);
    const others = await fixture.users.getUser({ id: ben.id }, ada.origin).catch((error) => error);
    const unknown = await fixture.users.getUser({ id: uuidv7() }, ada.origin).catch((error) => error);
    expect(others).toMatchObject({ reason: "USER_NOT_FOUND", code: "not_found", message: unknown.message });
    expect(unknown.reason).toBe("USER_NOT_FOUND");
  });

  it("shows any account to an admin and to the services that need it", async () => {
    const ada = await fixture.person();
    const admin = await fixture.admin();
    expect((await fixture.users.getUser({ id: ada.id }, admin.origin)).user?.id).toBe(ada.id);
    expect((await fixture.as("order").users.getUser({ id: ada.id }, anonymous())).user?.id).toBe(ada.id);
    expect(await refusal(fixture.as("payment").users.getUser({ id: ada.id }, anonymous()))).toBe("ACCESS_DENIED");
    expect(await refusal(fixture.users.getUser({ id: uuidv7() }, admin.origin))).toBe("USER_NOT_FOUND");
  });

  it("needs a caller", async () => {
    const ada = await fixture.person();
    expect(await refusal(fixture.users.getUser({ id: ada.id }, anonymous()))).toBe("CALLER_REQUIRED");
  });
});

describe("ListUsers", () => {
  it("neither skips nor repeats an account while others are opened, newest first", async () => {
    const admin = await fixture.admin();
    const opened: string[] = [];
    for (let n = 0; n < 9; n += 1) opened.push((await open(newEmail())).user?.id ?? "");
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await fixture.users.listUsers({ pageSize: 4, pageToken }, admin.origin);
      seen.push(...page.users.map((user) => user.id));
      pageToken = page.nextPageToken;
      await open(newEmail());
    } while (pageToken !== "");
    expect(seen.filter((id) => opened.includes(id))).toEqual(opened.toReversed());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("is for admins, and takes only tokens that it made", async () => {
    const [ada, admin] = await Promise.all([fixture.person(), fixture.admin()]);
    expect(await refusal(fixture.users.listUsers({}, ada.origin))).toBe("ACCESS_DENIED");
    expect(await refusal(fixture.users.listUsers({ pageToken: "made-up" }, admin.origin))).toBe("PAGE_TOKEN_INVALID");
  });
});

describe("UpdateUser", () => {
  it("changes what the mask names, and without a mask what is set", async () => {
    const { id, email, origin } = await fixture.person();
    const values = { id, name: "Augusta", email: newEmail(), currentPassword: password };
    const masked = await fixture.users.updateUser({ user: values, updateMask: { paths: ["name"] } }, origin);
    expect(masked.user).toMatchObject({ name: "Augusta", email });
    const { email: moved, currentPassword } = values;
    const set = await fixture.users.updateUser({ user: { id, email: moved, currentPassword } }, origin);
    expect(set.user).toMatchObject({ name: "Augusta", email, pendingEmail: values.email });
    await fixture.confirm(id);
    await fixture.auth.login({ email: values.email, password }, anonymous());
  });

  it("says that the account was changed, once for each change and not where nothing differs", async () => {
    const { id, origin } = await fixture.person();
    await fixture.users.updateUser({ user: { id, name: "Augusta" } }, origin);
    await fixture.users.updateUser({ user: { id, name: "Augusta" } }, origin);
    const events = await fixture.events(id);
    expect(events.map(({ topic, version }) => `${topic} ${version}`)).toEqual(["user.created 1", "user.updated 2"]);
  });

  it("refuses the address of another, and takes one's own in another case", async () => {
    const [ada, ben] = await Promise.all([fixture.person(), fixture.person()]);
    const own = { id: ada.id, currentPassword: password };
    const error = await fixture.users
      .updateUser({ user: { ...own, email: ben.email.toUpperCase(), name: "Ben" } }, ada.origin)
      .catch((cause) => cause);
    expect(error).toMatchObject({ reason: "EMAIL_TAKEN", fields: [{ field: "user.email" }] });
    expect((await fixture.users.getUser({ id: ada.id }, ada.origin)).user?.name).toBe("Ada");
    const { user } = await fixture.users.updateUser({ user: { ...own, email: ada.email.toUpperCase() } }, ada.origin);
    expect(user?.email).toBe(ada.email.toUpperCase());
  });

  it("needs the password to change one's own address: a stolen session cannot take over the account", async () => {
    const { id, email, origin } = await fixture.person();
    const change = (user: { email?: string; name?: string; currentPassword?: string }) =>
      fixture.users.updateUser({ user: { id, ...user } }, origin);
    const missing = await change({ email: newEmail() }).catch((error) => error);
    expect(missing).toMatchObject({ reason: "INVALID_REQUEST", fields: [{ field: "user.current_password" }] });
    expect(await refusal(change({ email: newEmail(), currentPassword: "a guess" }))).toBe("CREDENTIALS_INVALID");
    expect((await fixture.users.getUser({ id }, origin)).user?.email).toBe(email);
    expect(await refusal(change({ email, name: "Augusta" }))).toBe("none");
    const next = newEmail();
    expect((await change({ email: next, currentPassword: password })).user?.pendingEmail).toBe(next);
  });

  it("limits guesses of that password as it limits guesses at a login", async () => {
    const { id, email, origin } = await fixture.person();
    const guess = () =>
      fixture.users.updateUser({ user: { id, email: newEmail(), currentPassword: "a guess" } }, origin);
    for (let attempt = 0; attempt < 10; attempt += 1) expect(await refusal(guess())).toBe("CREDENTIALS_INVALID");
    expect(await refusal(guess())).toBe("TOO_MANY_ATTEMPTS");
    expect(await refusal(fixture.auth.login({ email, password }, anonymous()))).toBe("TOO_MANY_ATTEMPTS");
  });

  it("needs no password of an admin for another's address, and one for their own", async () => {
    const [ada, admin] = await Promise.all([fixture.person(), fixture.admin()]);
    const change = (id: string) => fixture.users.updateUser({ user: { id, email: newEmail() } }, admin.origin);
    expect(await refusal(change(ada.id))).toBe("none");
    expect(await refusal(change(admin.id))).toBe("INVALID_REQUEST");
  });

  it("answers a change of the address that comes again with its key as the first time", async () => {
    const { id, origin } = await fixture.person();
    const user = { id, email: newEmail(), currentPassword: password };
    const o = { idempotencyKey: uuidv7() };
    const first = await fixture.users.updateUser({ user }, origin, o);
    await fixture.auth.changePassword({ currentPassword: password, newPassword: "another password" }, origin);
    expect(await fixture.users.updateUser({ user }, origin, o)).toEqual(first);
  });

  it("lets an admin change another's role, but not their own", async () => {
    const [ada, admin] = await Promise.all([fixture.person(), fixture.admin()]);
    const change = (id: string, role: Role, origin: typeof ada.origin) =>
      fixture.users.updateUser({ user: { id, role } }, origin);
    expect(await refusal(change(ada.id, Role.ADMIN, ada.origin))).toBe("ROLE_CHANGE_DENIED");
    expect(await refusal(change(admin.id, Role.CUSTOMER, admin.origin))).toBe("ROLE_CHANGE_DENIED");
    expect(await refusal(change(ada.id, Role.PUBLIC, admin.origin))).toBe("INVALID_REQUEST");
    expect((await change(ada.id, Role.ADMIN, admin.origin)).user?.role).toBe(Role.ADMIN);
    expect(await refusal(change(admin.id, Role.ADMIN, admin.origin))).toBe("none");
  });

  it("does not find another's account, nor one that is not there", async () => {
    const [ada, ben, admin] = await Promise.all([fixture.person(), fixture.person(), fixture.admin()]);
    expect(await refusal(fixture.users.updateUser({ user: { id: ben.id, name: "X" } }, ada.origin))).toBe(
      "USER_NOT_FOUND",
    );
    expect(await refusal(fixture.users.updateUser({ user: { id: uuidv7(), name: "X" } }, admin.origin))).toBe(
      "USER_NOT_FOUND",
    );
  });

  it("refuses a mask that names what has no value", async () => {
    const { id, origin } = await fixture.person();
    const error = await fixture.users
      .updateUser({ user: { id }, updateMask: { paths: ["name", "email"] } }, origin)
      .catch((cause) => cause);
    expect(error.reason).toBe("INVALID_REQUEST");
    expect(error.fields.map((violation: { field: string }) => violation.field)).toEqual(["user.name", "user.email"]);
  });

  it("loses no change of two that are made at once", async () => {
    const { id, origin } = await fixture.person();
    const email = newEmail();
    await Promise.all([
      fixture.users.updateUser({ user: { id, name: "Augusta" } }, origin),
      fixture.users.updateUser({ user: { id, email, currentPassword: password } }, origin),
    ]);
    expect((await fixture.users.getUser({ id }, origin)).user).toMatchObject({ name: "Augusta", pendingEmail: email });
    expect((await fixture.events(id)).map((event) => event.version)).toEqual([1, 2, 3]);
  });
});

describe("GetJsonWebKeySet", () => {
  it("gives the public key alone", async () => {
    const { keys } = await fixture.auth.getJsonWebKeySet({}, anonymous());
    expect(keys).toMatchObject([{ kty: "OKP", crv: "Ed25519", kid: "access-1", alg: "EdDSA", use: "sig" }]);
    expect(keys[0]).not.toHaveProperty("d");
  });
});
