import { decodeJwt, decodeProtectedHeader } from "jose";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, nobody, openWorld, password, refusal, type World } from "./user-world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const refresh = (refreshToken: string) => world.auth.refreshToken({ refreshToken }, nobody());

/** Lets the answer to a spent token be older than a repeat may be. */
async function passTenSeconds(): Promise<void> {
  await world.database.sql`update refresh_token set spend_time = spend_time - interval '10 seconds'`;
}

describe("Login", () => {
  it("opens a session whose access token says who it is, for fifteen minutes", async () => {
    const { id, session } = await world.person();
    const { accessToken, expiresIn, user } = session;
    expect(expiresIn).toBe(900);
    expect(user?.id).toBe(id);
    const claims = decodeJwt(accessToken);
    expect(claims).toMatchObject({ iss: "rialto", aud: "rialto", sub: id, role: "CUSTOMER", sid: expect.any(String) });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(900);
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: "EdDSA", kid: "access-1" });
    expect(await world.verifier.user(accessToken)).toMatchObject({ userId: id, role: "CUSTOMER" });
  });

  it("takes the address in any case", async () => {
    const { email, id } = await world.person();
    const { user } = await world.auth.login({ email: email.toUpperCase(), password }, nobody());
    expect(user?.id).toBe(id);
  });

  it("does not know an address by letters that only look alike to a database: each would be counted for itself", async () => {
    const { email } = await world.person({ email: `indigo.${uuidv7()}@example.com` });
    for (const spelled of [email.replace("i", "\u0130"), email.replaceAll("i", "\u0130")])
      expect(await refusal(world.auth.login({ email: spelled, password }, nobody()))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(world.auth.login({ email, password }, nobody()))).toBe("none");
  });

  it("answers a wrong password and an unknown address alike", async () => {
    const { email } = await world.person();
    const wrong = await world.auth.login({ email, password: "wrong" }, nobody()).catch((error) => error);
    const unknown = await world.auth.login({ email: "nobody@example.com", password }, nobody()).catch((error) => error);
    expect(wrong.reason).toBe("CREDENTIALS_INVALID");
    expect(unknown).toMatchObject({
      code: wrong.code,
      reason: wrong.reason,
      message: wrong.message,
      metadata: wrong.metadata,
    });
  });

  it("takes a password in whichever form the keyboard writes its letters", async () => {
    const email = "composed@example.com";
    await world.users.createUser({ email, name: "Zoë", password: "caf\u00e9 au lait" }, nobody());
    expect(await refusal(world.auth.login({ email, password: "cafe\u0301 au lait" }, nobody()))).toBe("none");
  });
});

describe("RefreshToken", () => {
  it("gives a new pair for a token, time and again, in one session", async () => {
    const { session, id } = await world.person();
    const sessionIds = new Set([decodeJwt(session.accessToken).sid]);
    let token = session.refreshToken;
    for (let times = 0; times < 3; times += 1) {
      const next = await refresh(token);
      expect(next.refreshToken).not.toBe(token);
      expect(next.user?.id).toBe(id);
      sessionIds.add(decodeJwt(next.accessToken).sid);
      token = next.refreshToken;
    }
    expect(sessionIds.size).toBe(1);
  });

  it("takes a spent token again at once: the answer was lost", async () => {
    const { session } = await world.person();
    await refresh(session.refreshToken);
    const again = await refresh(session.refreshToken);
    expect(await refusal(refresh(again.refreshToken))).toBe("none");
  });

  it("takes one token from two tabs at the same moment", async () => {
    const { session } = await world.person();
    const tabs = await Promise.all([refresh(session.refreshToken), refresh(session.refreshToken)]);
    for (const tab of tabs) expect(await refusal(refresh(tab.refreshToken))).toBe("none");
  });

  it("ends the session when a spent token comes back later", async () => {
    const { session } = await world.person();
    const next = await refresh(session.refreshToken);
    await passTenSeconds();
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(next.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("ends the session when a spent token comes back whose successor was used", async () => {
    const { session } = await world.person();
    const next = await refresh(session.refreshToken);
    const newest = await refresh(next.refreshToken);
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(newest.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("leaves the person's other sessions alone", async () => {
    const { email, session } = await world.person();
    const other = await world.auth.login({ email, password }, nobody());
    await refresh(session.refreshToken);
    await passTenSeconds();
    await refusal(refresh(session.refreshToken));
    expect(await refusal(refresh(other.refreshToken))).toBe("none");
  });

  it("refuses a token that nobody was given, and one that has expired", async () => {
    const { session } = await world.person();
    expect(await refusal(refresh("made up"))).toBe("REFRESH_TOKEN_INVALID");
    const sid = String(decodeJwt(session.accessToken).sid);
    await world.database.sql`update refresh_token set expire_time = now() where session_id = ${sid}`;
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("reads the role again", async () => {
    const { id, session } = await world.person();
    const admin = await world.admin();
    await world.users.updateUser({ user: { id, role: 3 } }, admin.origin);
    const { accessToken } = await refresh(session.refreshToken);
    expect(decodeJwt(accessToken).role).toBe("ADMIN");
  });
});

describe("Logout", () => {
  it("ends the session, and a second one changes nothing", async () => {
    const { session } = await world.person();
    await world.auth.logout({}, bearer(session.accessToken));
    await world.auth.logout({}, bearer(session.accessToken));
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("needs to know whose session", async () => {
    expect(await refusal(world.auth.logout({}, nobody()))).toBe("CALLER_REQUIRED");
  });
});

describe("what is kept of tokens and passwords", () => {
  it("is hashes only, and no log line holds either", async () => {
    const { email, session } = await world.person();
    const next = await refresh(session.refreshToken);
    await refusal(world.auth.login({ email, password: "a wrong secret" }, nobody()));
    const kept: string[] = [];
    for (const table of ["account", "session", "refresh_token", "idempotency", "outbox"]) {
      const rows = await world.database.sql<
        { row: string }[]
      >`select t::text as row from ${world.database.sql(table)} t`;
      kept.push(...rows.map(({ row }) => row));
    }
    const text = [...kept, ...world.logged].join("\n");
    const secrets = [
      password,
      "a wrong secret",
      session.refreshToken,
      session.accessToken,
      next.refreshToken,
      next.accessToken,
    ];
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(world.logged.length).toBeGreaterThan(0);
    expect(text).toContain("$argon2id$");
  });

  it("is removed when the last refresh token of a session has expired", async () => {
    const { session } = await world.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    await world.database.sql`update session set expire_time = now() - interval '1 minute' where id = ${sid}`;
    const [sweep] = world.open.schedules;
    await sweep?.run(new AbortController().signal);
    const left = await world.database.sql`select 1 from refresh_token where session_id = ${sid}`;
    expect(left.length).toBe(0);
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });
});
