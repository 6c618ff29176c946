import { Role } from "@rialto/contracts";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { duringChange } from "./during-change.ts";
import { anonymous, bearer, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const next = "a new password of some length";
const login = (email: string, given = password) => fixture.auth.login({ email, password: given }, anonymous());
const change = (accessToken: string, newPassword: string) =>
  refusal(fixture.auth.changePassword({ currentPassword: password, newPassword }, bearer(accessToken)));

async function openSessions(userId: string): Promise<number> {
  const rows = await fixture.database.sql`select 1 from session where account_id = ${userId} and end_time is null`;
  return rows.length;
}

describe("a login that compared the old password", () => {
  it("opens no session after the password was changed", async () => {
    const ada = await fixture.person();
    await login(ada.email);
    const changing = () => change(ada.session.accessToken, next);
    const outcomes = await duringChange(fixture, ada.id, changing, () => refusal(login(ada.email)));
    expect(outcomes).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await openSessions(ada.id)).toBe(1);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });

  it("opens no session after the password was set anew by mail", async () => {
    const ada = await fixture.person();
    await fixture.auth.requestPasswordReset({ email: ada.email }, anonymous());
    const [row] = await fixture.database.sql<{ id: string }[]>`
      select id from password_reset where account_id = ${ada.id}`;
    const asked = { resetId: row?.id ?? "" };
    const { token } = await fixture.as("notification").auth.createPasswordResetToken(asked, anonymous());
    const reset = () => refusal(fixture.auth.resetPassword({ token, newPassword: next }, anonymous()));
    const outcomes = await duringChange(fixture, ada.id, reset, () => refusal(login(ada.email)));
    expect(outcomes).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await openSessions(ada.id)).toBe(0);
  });
});

describe("a password that is changed by two at once", () => {
  it("is the first one's: the second showed one that was none any more", async () => {
    const ada = await fixture.person();
    const thief = await login(ada.email);
    const owners = () => change(ada.session.accessToken, next);
    const thiefs = () => change(thief.accessToken, "the thief's own password");
    expect(await duringChange(fixture, ada.id, owners, thiefs)).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });
});

describe("an address that is changed while the password is", () => {
  it("stays as it was: the password that was shown is none any more", async () => {
    const ada = await fixture.person();
    const thief = await login(ada.email);
    const user = { id: ada.id, email: "thief@example.com", currentPassword: password };
    const owners = () => change(ada.session.accessToken, next);
    const thiefs = () => refusal(fixture.users.updateUser({ user }, bearer(thief.accessToken)));
    expect(await duringChange(fixture, ada.id, owners, thiefs)).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });
});

describe("a login of an admin who is being made a customer", () => {
  it("gives the role that the account has when its session opens", async () => {
    const admin = await fixture.admin();
    const ada = await fixture.person();
    const make = (role: Role) => () => fixture.users.updateUser({ user: { id: ada.id, role } }, admin.origin);
    await make(Role.ADMIN)();
    // The change waits for a session that it ends.
    await login(ada.email);
    const [, session] = await duringChange(fixture, ada.id, make(Role.CUSTOMER), () => login(ada.email));
    expect(decodeJwt(session.accessToken).role).toBe("CUSTOMER");
    expect(session.user?.role).toBe(Role.CUSTOMER);
  });
});
