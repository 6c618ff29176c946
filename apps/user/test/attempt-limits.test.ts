import { CallError, callErrors } from "@rialto/rpc";
import { openRateLimits } from "@rialto/service";
import { redisForTests } from "@rialto/testing";
import { afterAll, describe, expect, it } from "vitest";
import { errors } from "../src/errors.ts";
import { type AttemptLimits, createAttemptLimits } from "../src/requests/attempt-limits.ts";
import { refusal } from "./fixture.ts";

const redis = await redisForTests();
afterAll(() => redis?.close());
const stores = [
  ["this process", undefined],
  ["Redis", redis?.url],
] as const;

const guess = (attempts: AttemptLimits, email: string, address: string) =>
  attempts.attempt(email, address, async () => {
    throw new CallError(errors.CREDENTIALS_INVALID);
  });
const outage = async () => {
  throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
};

describe.each(stores.filter(([name]) => name === "this process" || redis !== undefined))(
  "failed attempts, counted in %s",
  (_name, url) => {
    // All tests share one Redis, so each uses its own network.
    let network = 0;
    const counters = async () => {
      network += 1;
      const limits = openRateLimits({ redisUrl: url, redisPrefix: "rialto-test" });
      // Until it is connected, each process would count for itself.
      while (url !== undefined && limits.state() !== "shared") await new Promise((resolve) => setTimeout(resolve, 5));
      return { attempts: createAttemptLimits(limits, crypto.randomUUID()), limits };
    };
    const failing = async (work: () => Promise<unknown>, times: number) => {
      let refused = 0;
      for (let attempt = 0; attempt < times; attempt += 1)
        if ((await refusal(work())) === "TOO_MANY_ATTEMPTS") refused += 1;
      return refused;
    };

    it("stop guesses of one account's password from one address, and no other logins", async () => {
      const { attempts, limits } = await counters();
      expect(await failing(() => guess(attempts, "Ada@example.com", `10.${network}.0.1`), 15)).toBe(5);
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.1`), 1)).toBe(1);
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.2`), 1)).toBe(0);
      expect(await failing(() => guess(attempts, "bob@example.com", `10.${network}.0.1`), 1)).toBe(0);
      await limits.close();
    });

    it("let owners request a mail after a stranger has used up the limit for it", async () => {
      const { attempts, limits } = await counters();
      const requested: string[] = [];
      const request = (email: string, address: string) =>
        attempts.resetMail(email, address, async () => void requested.push(`${email} ${address}`));
      for (let mail = 0; mail < 5; mail += 1) await request("ada@example.com", `10.${network}.0.1`);
      await request("ADA@example.com", `10.${network}.0.1`);
      await request("ada@example.com", `10.${network}.0.2`);
      await request("bob@example.com", `10.${network}.0.1`);
      expect(requested).toEqual([
        ...Array.from({ length: 3 }, () => `ada@example.com 10.${network}.0.1`),
        `ada@example.com 10.${network}.0.2`,
        `bob@example.com 10.${network}.0.1`,
      ]);
      await limits.close();
    });

    it("stop guesses that change their address within one IPv6 network", async () => {
      const { attempts, limits } = await counters();
      let host = 0;
      const guessFromNext = () => guess(attempts, "ada@example.com", `2001:db8:${network}:2::${(host++).toString(16)}`);
      expect(await failing(guessFromNext, 15)).toBe(5);
      expect(await failing(() => guess(attempts, "ada@example.com", `2001:db8:${network}:3::1`), 1)).toBe(0);
      await limits.close();
    });

    it("do not lock an owner out, however long guesses from one address go on", async () => {
      const { attempts, limits } = await counters();
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.1`), 250)).toBe(240);
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.2`), 1)).toBe(0);
      expect(await failing(() => guess(attempts, "bob@example.com", `10.${network}.0.1`), 1)).toBe(0);
      await limits.close();
    });

    it("do not lock an owner out, however many accounts are tried from one address", async () => {
      const { attempts, limits } = await counters();
      let account = 0;
      const tryAll = () => guess(attempts, `${account++}@example.com`, `10.${network}.0.1`);
      expect(await failing(tryAll, 200)).toBe(0);
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.1`), 100)).toBe(100);
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.2`), 1)).toBe(0);
      await limits.close();
    });

    it("stop guesses from many addresses", async () => {
      const { attempts, limits } = await counters();
      let host = 0;
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.1.${host++}`), 110)).toBe(10);
      await limits.close();
    });

    it("stop guesses on many accounts from one address", async () => {
      const { attempts, limits } = await counters();
      let account = 0;
      expect(await failing(() => guess(attempts, `${account++}@example.com`, `10.${network}.0.1`), 210)).toBe(10);
      await limits.close();
    });

    it("do not count what an outage ended: whoever tries again until it is over is let in", async () => {
      const { attempts, limits } = await counters();
      const address = `10.${network}.0.1`;
      const logins: string[] = [];
      for (let round = 0; round < 250; round += 1)
        logins.push(await refusal(attempts.attempt("ada@example.com", address, outage)));
      expect(new Set(logins)).toEqual(new Set(["TEMPORARILY_UNAVAILABLE"]));
      expect(await failing(() => guess(attempts, "ada@example.com", address), 11)).toBe(1);
      await limits.close();
    });

    it.each(["resetMail", "confirmationMail"] as const)("do not count a %s that an outage ended", async (mail) => {
      const { attempts, limits } = await counters();
      const address = `10.${network}.0.1`;
      for (let round = 0; round < 5; round += 1)
        expect(await refusal(attempts[mail]("ada@example.com", address, outage))).toBe("TEMPORARILY_UNAVAILABLE");
      let requested = 0;
      for (let round = 0; round < 5; round += 1)
        await attempts[mail]("ada@example.com", address, async () => {
          requested += 1;
        });
      expect(requested).toBe(3);
      await limits.close();
    });

    it("do not count a change of address that an outage ended, nor a change of anything else", async () => {
      const { attempts, limits } = await counters();
      const id = crypto.randomUUID();
      const ended = (count: () => Promise<void>) => count().then(outage);
      for (let round = 0; round < 20; round += 1) {
        expect(await refusal(attempts.addressChange(id, ended))).toBe("TEMPORARILY_UNAVAILABLE");
        await attempts.addressChange(id, async () => undefined);
      }
      expect(await failing(() => attempts.addressChange(id, (count) => count()), 12)).toBe(2);
      await limits.close();
    });

    it("do not count what succeeded, and are forgotten with it", async () => {
      const { attempts, limits } = await counters();
      for (let round = 0; round < 30; round += 1) {
        await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.1`), 2);
        await attempts.attempt("ada@example.com", `10.${network}.0.1`, async () => undefined);
      }
      expect(await failing(() => guess(attempts, "ada@example.com", `10.${network}.0.1`), 10)).toBe(0);
      await limits.close();
    });
  },
);

it("of one account are counted alone where they come from a shop's own server", async () => {
  const limits = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
  const attempts = createAttemptLimits(limits, "key", (address) => address === "10.0.0.9");
  let account = 0;
  const outcomes = new Set<string>();
  for (let attempt = 0; attempt < 300; attempt += 1)
    outcomes.add(await refusal(guess(attempts, `${account++}@example.com`, "10.0.0.9")));
  for (let attempt = 0; attempt < 100; attempt += 1)
    outcomes.add(await refusal(guess(attempts, "ada@example.com", "10.0.0.9")));
  expect(outcomes).not.toContain("TOO_MANY_ATTEMPTS");
  expect(await refusal(guess(attempts, "ada@example.com", "10.0.0.9"))).toBe("TOO_MANY_ATTEMPTS");
  await limits.close();
});

it.runIf(redis !== undefined)("are counted in each process while Redis is away", async () => {
  const limits = openRateLimits({ redisUrl: "redis://127.0.0.1:1", redisPrefix: "rialto-test" });
  const attempts = createAttemptLimits(limits, "key");
  const outcomes: string[] = [];
  for (let attempt = 0; attempt < 11; attempt += 1)
    outcomes.push(await refusal(guess(attempts, "ada@example.com", "10.0.0.1")));
  expect(outcomes.at(-1)).toBe("TOO_MANY_ATTEMPTS");
  expect(limits.state()).toBe("local-fallback");
  await limits.close();
  await redis?.close();
});
