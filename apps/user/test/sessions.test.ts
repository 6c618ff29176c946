import { decodeJwt, decodeProtectedHeader } from "jose";
import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRefreshTokens } from "../src/sessions/refresh-tokens.ts";
import { newSecretToken } from "../src/sessions/tokens.ts";
import { anonymous, bearer, type Fixture, openFixture, password, refusal } from "./fixture.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openFixture();
});
afterAll(() => fixture.close());

const refresh = (refreshToken: string) => fixture.auth.refreshToken({ refreshToken }, anonymous());

/** Ages redeemed tokens, so that they are past the grace period for a repeat. */
async function passTenSeconds(): Promise<void> {
  await fixture.database.sql`update refresh_token set spend_time = spend_time - interval '10 seconds'`;
}

describe("Login", () => {
  it("opens a session whose access token says who it is, for fifteen minutes", async () => {
    const { id, session } = await fixture.person();
    const { accessToken, expiresIn, user } = session;
    expect(expiresIn).toBe(900);
    expect(user?.id).toBe(id);
    const claims = decodeJwt(accessToken);
    expect(claims).toMatchObject({ iss: "rialto", aud: "rialto", sub: id, role: "CUSTOMER", sid: expect.any(String) });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(900);
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: "EdDSA", kid: "access-1" });
    expect(await fixture.verifier.user(accessToken)).toMatchObject({ userId: id, role: "CUSTOMER" });
  });

  it("takes the address in any case", async () => {
    const { email, id } = await fixture.person();
    const { user } = await fixture.auth.login({ email: email.toUpperCase(), password }, anonymous());
    expect(user?.id).toBe(id);
  });

  it("does not know an address by letters that only look alike to a database: each would be counted for itself", async () => {
    const { email } = await fixture.person({ email: `indigo.${uuidv7()}@example.com` });
    for (const spelled of [email.replace("i", "\u0130"), email.replaceAll("i", "\u0130")])
      expect(await refusal(fixture.auth.login({ email: spelled, password }, anonymous()))).toBe("CREDENTIALS_INVALID");
    expect(await refusal(fixture.auth.login({ email, password }, anonymous()))).toBe("none");
  });

  it("answers a wrong password and an unknown address alike", async () => {
    const { email } = await fixture.person();
    const wrong = await fixture.auth.login({ email, password: "wrong" }, anonymous()).catch((error) => error);
    const unknown = await fixture.auth
      .login({ email: "nobody@example.com", password }, anonymous())
      .catch((error) => error);
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
    await fixture.users.createUser({ email, name: "Zoë", password: "caf\u00e9 au lait" }, anonymous());
    expect(await refusal(fixture.auth.login({ email, password: "cafe\u0301 au lait" }, anonymous()))).toBe("none");
  });
});

describe("RefreshToken", () => {
  it("gives a new pair for a token, time and again, in one session", async () => {
    const { session, id } = await fixture.person();
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

  it("answers a redeemed token that is sent again at once with the same successor: the answer was lost", async () => {
    const { session } = await fixture.person();
    const first = await refresh(session.refreshToken);
    const again = await refresh(session.refreshToken);
    expect(again.refreshToken).toBe(first.refreshToken);
    expect(await refusal(refresh(again.refreshToken))).toBe("none");
  });

  it("gives many that show one token at the same moment one successor, in two processes, and no second family", async () => {
    const { session } = await fixture.person();
    const other = await fixture.start();
    const tabs = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? fixture : other).auth.refreshToken({ refreshToken: session.refreshToken }, anonymous()),
      ),
    );
    expect(new Set(tabs.map(({ refreshToken }) => refreshToken)).size).toBe(1);
    const sid = String(decodeJwt(session.accessToken).sid);
    const rows = await fixture.database.sql`select 1 from refresh_token where session_id = ${sid}`;
    expect(rows).toHaveLength(2);
    for (const tab of tabs.slice(0, 3)) expect(await refusal(refresh(tab.refreshToken))).toBe("none");
  });

  it("finds a thief who refreshed within the grace: the one who comes later ends the session", async () => {
    const { session } = await fixture.person();
    const owner = await refresh(session.refreshToken);
    const thief = await refresh(session.refreshToken);
    await refresh(thief.refreshToken);
    await passTenSeconds();
    expect(await refusal(refresh(owner.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    const [row] = await fixture.database.sql`
      select end_reason from session where id = ${String(decodeJwt(session.accessToken).sid)}`;
    expect(row?.end_reason).toBe("TOKEN_REUSED");
  });

  it("goes on with a token of version 0.1.0, whose answer was lost and came again", async () => {
    const { session } = await fixture.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    const [old, given] = [newSecretToken(), newSecretToken()];
    await fixture.database.sql`
      insert into refresh_token (hash, session_id, create_time, expire_time, spend_time, successor) values
        (${given.hash}, ${sid}, now(), now() + interval '1 day', null, null),
        (${old.hash}, ${sid}, now(), now() + interval '1 day', now(), ${given.hash})`;
    const again = await refresh(old.token);
    expect((await refresh(old.token)).refreshToken).toBe(again.refreshToken);
    expect(await refusal(refresh(again.refreshToken))).toBe("none");
  });

  it("ends a session ninety days after its login, however often it was refreshed", async () => {
    const { session } = await fixture.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    await fixture.database.sql`update session set create_time = now() - interval '80 days' where id = ${sid}`;
    const next = await refresh(session.refreshToken);
    const [row] = await fixture.database.sql`
      select extract(epoch from expire_time - create_time)::float8 / 86400 as days from session where id = ${sid}`;
    expect(row?.days).toBeCloseTo(90, 3);
    expect(row?.days).toBeLessThanOrEqual(90);
    await fixture.database.sql`update session set create_time = now() - interval '90 days' where id = ${sid}`;
    expect(await refusal(refresh(next.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("ends the session when a redeemed token is sent again later", async () => {
    const { session } = await fixture.person();
    const next = await refresh(session.refreshToken);
    await passTenSeconds();
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(next.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("ends the session when a redeemed token is sent again after its successor was used", async () => {
    const { session } = await fixture.person();
    const next = await refresh(session.refreshToken);
    const newest = await refresh(next.refreshToken);
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(newest.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("leaves the person's other sessions alone", async () => {
    const { email, session } = await fixture.person();
    const other = await fixture.auth.login({ email, password }, anonymous());
    await refresh(session.refreshToken);
    await passTenSeconds();
    await refusal(refresh(session.refreshToken));
    expect(await refusal(refresh(other.refreshToken))).toBe("none");
  });

  it("refuses a forged token, and one that has expired", async () => {
    const { session } = await fixture.person();
    expect(await refusal(refresh("made up"))).toBe("REFRESH_TOKEN_INVALID");
    const sid = String(decodeJwt(session.accessToken).sid);
    await fixture.database.sql`update refresh_token set expire_time = now() where session_id = ${sid}`;
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });
});

describe("Logout", () => {
  it("ends the session, and a second one changes nothing", async () => {
    const { session } = await fixture.person();
    await fixture.auth.logout({}, bearer(session.accessToken));
    await fixture.auth.logout({}, bearer(session.accessToken));
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("needs to know whose session", async () => {
    expect(await refusal(fixture.auth.logout({}, anonymous()))).toBe("CALLER_REQUIRED");
  });
});

describe("what is kept of tokens and passwords", () => {
  it("is hashes only, and no log line holds either", async () => {
    const { email, session } = await fixture.person();
    const next = await refresh(session.refreshToken);
    await refusal(fixture.auth.login({ email, password: "a wrong secret" }, anonymous()));
    const kept: string[] = [];
    for (const table of ["account", "session", "refresh_token", "idempotency", "outbox"]) {
      const rows = await fixture.database.sql<
        { row: string }[]
      >`select t::text as row from ${fixture.database.sql(table)} t`;
      kept.push(...rows.map(({ row }) => row));
    }
    const text = [...kept, ...fixture.logged].join("\n");
    const secrets = [
      password,
      "a wrong secret",
      session.refreshToken,
      session.accessToken,
      next.refreshToken,
      next.accessToken,
    ];
    for (const secret of secrets) expect(text).not.toContain(secret);
    expect(fixture.logged.length).toBeGreaterThan(0);
    expect(text).toContain("$argon2id$");
  });

  const sweep = () => fixture.open.schedules[0]?.run(new AbortController().signal);

  it("is removed when the last refresh token of a session has expired", async () => {
    const { session } = await fixture.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    await fixture.database.sql`update session set expire_time = now() - interval '1 minute' where id = ${sid}`;
    await sweep();
    const left = await fixture.database.sql`select 1 from refresh_token where session_id = ${sid}`;
    expect(left.length).toBe(0);
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("is removed by one sweep, however much there is: expired sessions, ended ones and redeemed tokens", async () => {
    const { id, session } = await fixture.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    await fixture.database.sql`
      insert into session (id, account_id, create_time, expire_time, end_time, end_reason)
      select gen_random_uuid(), ${id}, now() - interval '40 days', now() + (case when n % 2 = 0 then -1 else 1 end) * interval '1 day',
             case when n % 2 = 0 then null else now() - interval '25 hours' end, case when n % 2 = 0 then null else 'LOGOUT' end
      from generate_series(1, 2600) n`;
    await fixture.database.sql`
      insert into refresh_token (hash, session_id, create_time, expire_time, spend_time, is_signed)
      select sha256(n::text::bytea), ${sid}, now() - interval '1 day', now() + interval '1 day', now() - interval '2 hours', true
      from generate_series(1, 1300) n`;
    await sweep();
    const sessions = await fixture.database.sql`select id from session where account_id = ${id}`;
    expect(sessions.map((row) => row.id)).toEqual([sid]);
    const tokens = await fixture.database.sql`select 1 from refresh_token where session_id = ${sid}`;
    expect(tokens).toHaveLength(1);
    expect(await refusal(refresh(session.refreshToken))).toBe("none");
  });

  it("is not needed to recognize a token that was redeemed long ago: it still ends the session", async () => {
    const { session } = await fixture.person();
    const next = await refresh(session.refreshToken);
    await fixture.database
      .sql`update refresh_token set spend_time = now() - interval '3 hours' where spend_time is not null`;
    await sweep();
    expect(await refusal(refresh(session.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(next.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  it("ends no session by a token that was made up for it", async () => {
    const { session } = await fixture.person();
    const sid = String(decodeJwt(session.accessToken).sid);
    const forged = createRefreshTokens("another key").first(sid).token;
    const cut = session.refreshToken.slice(0, -2);
    for (const token of [forged, cut, `${session.refreshToken}=`])
      expect(await refusal(refresh(token))).toBe("REFRESH_TOKEN_INVALID");
    expect(await refusal(refresh(session.refreshToken))).toBe("none");
  });
});
