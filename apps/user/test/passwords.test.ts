import { hash } from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import { createPasswords } from "../src/passwords.ts";
import { createTurns } from "../src/turns.ts";
import { nobody, openWorld, password, refusal } from "./user-world.ts";

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

const still = new AbortController().signal;

describe("Passwords", () => {
  it("are argon2id hashes, each with a salt of its own", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const [one, two] = await Promise.all([passwords.hash("secret", still), passwords.hash("secret", still)]);
    expect(one).toMatch(/^\$argon2id\$v=19\$/);
    expect(one).not.toBe(two);
    expect(await passwords.verify("secret", one, still)).toBe(true);
    expect(await passwords.verify("Secret", one, still)).toBe(false);
  });

  it("cost what OWASP says, unless they are for tests", async () => {
    const passwords = await createPasswords({ argon2Cost: "default" });
    expect(await passwords.hash("secret", still)).toContain("$m=19456,t=2,p=1$");
  });

  it("are compared once, at the same cost, whether there is an account or not", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const known = await passwords.hash("secret", still);
    argon2.verified.length = 0;
    expect(await passwords.verify("secret", known, still)).toBe(true);
    expect(await passwords.verify("secret", undefined, still)).toBe(false);
    const costs = argon2.verified.map((against) => against.split("$").slice(1, 4).join("$"));
    expect(costs.length).toBe(2);
    expect(costs[0]).toBe(costs[1]);
  });

  it("that were hashed at another cost still match", async () => {
    const passwords = await createPasswords({ argon2Cost: "test" });
    const old = await hash("secret", { memoryCost: 128, timeCost: 2, parallelism: 1 });
    expect(await passwords.verify("secret", old, still)).toBe(true);
  });
});

describe("Login", () => {
  it("compares exactly one hash: for a right and a wrong password, and where there is no account", async () => {
    const world = await openWorld();
    try {
      const { email } = await world.person();
      const attempts = [
        { email, password },
        { email, password: "wrong" },
        { email: "nobody@example.com", password },
      ];
      for (const attempt of attempts) {
        argon2.verified.length = 0;
        await refusal(world.auth.login(attempt, nobody()));
        expect(argon2.verified.length).toBe(1);
      }
    } finally {
      await world.close();
    }
  });
});

describe("Turns", () => {
  /** A task that ends when it is told to. */
  function task() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const state = { begun: false };
    const run = () => {
      state.begun = true;
      return promise;
    };
    return { state, end: resolve, run };
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it("are taken by so many at once, the others in the order in which they came", async () => {
    const turns = createTurns({ atOnceMax: 2, waitingMax: 10 });
    const tasks = [task(), task(), task(), task()];
    const runs = tasks.map(({ run }) => turns.take(run, still));
    await settle();
    expect(tasks.map(({ state }) => state.begun)).toEqual([true, true, false, false]);
    tasks[1]?.end();
    await settle();
    expect(tasks.map(({ state }) => state.begun)).toEqual([true, true, true, false]);
    for (const { end } of tasks) end();
    await Promise.all(runs);
  });

  it("are refused where too many wait", async () => {
    const turns = createTurns({ atOnceMax: 1, waitingMax: 1 });
    const first = task();
    const runs = [turns.take(first.run, still), turns.take(async () => undefined, still)];
    await settle();
    await expect(turns.take(async () => undefined, still)).rejects.toMatchObject({ reason: "TEMPORARILY_UNAVAILABLE" });
    first.end();
    await Promise.all(runs);
    await turns.take(async () => undefined, still);
  });

  it("are given up by who does not want to wait any longer, and by who fails", async () => {
    const turns = createTurns({ atOnceMax: 1, waitingMax: 5 });
    const first = task();
    const leaving = new AbortController();
    const run = turns.take(first.run, still);
    const left = turns.take(async () => undefined, leaving.signal);
    const failed = turns.take(() => Promise.reject(new Error("no")), still);
    leaving.abort(new Error("too late"));
    await expect(left).rejects.toThrow("too late");
    first.end();
    await run;
    await expect(failed).rejects.toThrow("no");
    await turns.take(async () => undefined, still);
    await expect(turns.take(async () => undefined, leaving.signal)).rejects.toThrow("too late");
  });
});
