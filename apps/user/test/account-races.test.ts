import { Role } from "@rialto/contracts";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { midChange } from "./mid-change.ts";
import { bearer, nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const next = "a new password of some length";
const login = (email: string, given = password) => world.auth.login({ email, password: given }, nobody());
const change = (accessToken: string, newPassword: string) =>
  refusal(world.auth.changePassword({ currentPassword: password, newPassword }, bearer(accessToken)));

async function openSessions(userId: string): Promise<number> {
  const rows = await world.database.sql`select 1 from session where account_id = ${userId} and end_time is null`;
  return rows.length;
}

describe("a login that compared the old password", () => {
  it("opens no session after the password was changed", async () => {
    const ada = await world.person();
    await login(ada.email);
    const changing = () => change(ada.session.accessToken, next);
    const outcomes = await midChange(world, ada.id, changing, () => refusal(login(ada.email)));
    expect(outcomes).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await openSessions(ada.id)).toBe(1);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });

  it("opens no session after the password was set anew by mail", async () => {
    const ada = await world.person();
    await world.auth.requestPasswordReset({ email: ada.email }, nobody());
    const [row] = await world.database.sql<{ id: string }[]>`
      select id from password_reset where account_id = ${ada.id}`;
    const asked = { resetId: row?.id ?? "" };
    const { token } = await world.as("notification").auth.createPasswordResetToken(asked, nobody());
    const reset = () => refusal(world.auth.resetPassword({ token, newPassword: next }, nobody()));
    const outcomes = await midChange(world, ada.id, reset, () => refusal(login(ada.email)));
    expect(outcomes).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await openSessions(ada.id)).toBe(0);
  });
});

describe("a password that is changed by two at once", () => {
  it("is the first one's: the second showed one that was none any more", async () => {
    const ada = await world.person();
    const thief = await login(ada.email);
    const owners = () => change(ada.session.accessToken, next);
    const thiefs = () => change(thief.accessToken, "the thief's own password");
    expect(await midChange(world, ada.id, owners, thiefs)).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });
});

describe("an address that is changed while the password is", () => {
  it("stays as it was: the password that was shown is none any more", async () => {
    const ada = await world.person();
    const thief = await login(ada.email);
    const user = { id: ada.id, email: "thief@example.com", currentPassword: password };
    const owners = () => change(ada.session.accessToken, next);
    const thiefs = () => refusal(world.users.updateUser({ user }, bearer(thief.accessToken)));
    expect(await midChange(world, ada.id, owners, thiefs)).toEqual(["none", "CREDENTIALS_INVALID"]);
    expect(await refusal(login(ada.email, next))).toBe("none");
  });
});

describe("a login of an admin who is being made a customer", () => {
  it("gives the role that the account has when its session opens", async () => {
    const admin = await world.admin();
    const ada = await world.person();
    const make = (role: Role) => () => world.users.updateUser({ user: { id: ada.id, role } }, admin.origin);
    await make(Role.ADMIN)();
    // The change waits for a session that it ends.
    await login(ada.email);
    const [, session] = await midChange(world, ada.id, make(Role.CUSTOMER), () => login(ada.email));
    expect(decodeJwt(session.accessToken).role).toBe("CUSTOMER");
    expect(session.user?.role).toBe(Role.CUSTOMER);
  });
});
