import { hash } from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import { createPasswords } from "../src/passwords/passwords.ts";
import { anonymous, openFixture, password, refusal } from "./fixture.ts";

const argon2 = vi.hoisted(() => ({ verified: [] as string[] }));
vi.mock("@node-rs/argon2", async (original) => {
  const real = await original<typeof import("@node-rs/argon2")>();
  return {
    ...real,
    verify: (...args: Parameters<typeof real.verify>) => {
      argon2.verified.push(String(args[0]));
      return real.verify(...args);
    },
  };
});

const still = { signal: new AbortController().signal };

describe("Passwords", () => {
  it("are argon2id hashes, each with a salt of its own", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const [one, two] = await Promise.all([
      passwords.hash("secret", "login", still),
      passwords.hash("secret", "login", still),
    ]);
    expect(one).toMatch(/^\$argon2id\$v=19\$/);
    expect(one).not.toBe(two);
    expect(await passwords.verify("secret", one, "login", still)).toBe(true);
    expect(await passwords.verify("Secret", one, "login", still)).toBe(false);
  });

  it("cost what OWASP says, unless they are for tests", async () => {
    const passwords = await createPasswords({ argon2Cost: "default" });
    expect(await passwords.hash("secret", "login", still)).toContain("$m=19456,t=2,p=1$");
  });

  it("are compared once, at the same cost, whether there is an account or not", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const known = await passwords.hash("secret", "login", still);
    argon2.verified.length = 0;
    expect(await passwords.verify("secret", known, "login", still)).toBe(true);
    expect(await passwords.verify("secret", undefined, "login", still)).toBe(false);
    const costs = argon2.verified.map((against) => against.split("$").slice(1, 4).join("$"));
    expect(costs.length).toBe(2);
    expect(costs[0]).toBe(costs[1]);
  });

  it("that were hashed at another cost still match", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const old = await hash("secret", { memoryCost: 128, timeCost: 2, parallelism: 1 });
    expect(await passwords.verify("secret", old, "login", still)).toBe(true);
  });
});

describe("Login", () => {
  it("compares exactly one hash: for a right and a wrong password, and where there is no account", async () => {
    const fixture = await openFixture();
    try {
      const { email } = await fixture.person();
      const attempts = [
        { email, password },
        { email, password: "wrong" },
        { email: "nobody@example.com", password },
      ];
      for (const attempt of attempts) {
        argon2.verified.length = 0;
        await refusal(fixture.auth.login(attempt, anonymous()));
        expect(argon2.verified.length).toBe(1);
      }
    } finally {
      await fixture.close();
    }
  });
});

describe("260 sign-ups at once", () => {
  it("do not delay a login until they are done, and are done or refused with a retry", async () => {
    const fixture = await openFixture();
    try {
      const { email } = await fixture.person();
      let open = 0;
      const signUps = Array.from({ length: 260 }, async (_, count) => {
        open += 1;
        const reason = await refusal(
          fixture.users.createUser({ email: `${count}@example.com`, name: "Ada", password }, anonymous()),
        );
        open -= 1;
        return reason;
      });
      const reason = await refusal(fixture.auth.login({ email, password }, anonymous()));
      expect([reason, open > 0]).toEqual(["none", true]);
      expect([...new Set(await Promise.all(signUps))].sort()).toEqual(["TEMPORARILY_UNAVAILABLE", "none"]);
    } finally {
      await fixture.close();
    }
  });
});
