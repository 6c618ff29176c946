import { describe, expect, it } from "vitest";
import { createHashingQueue, type HashingKind } from "../src/passwords/hashing-queue.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));
const at = (clientAddress: string, signal = new AbortController().signal) => ({ signal, clientAddress });

/** A queue with one worker, the order in which its tasks began, and a way to end the running task. */
function observed() {
  const queue = createHashingQueue({ workersMax: 1 });
  const begun: string[] = [];
  let end = () => {};
  const run = (name: string, kind: HashingKind, caller = at("203.0.113.1")) =>
    queue
      .run(kind, caller, () => {
        begun.push(name);
        const { promise, resolve } = Promise.withResolvers<void>();
        end = resolve;
        return promise;
      })
      .then(
        () => "done",
        (error) => error.reason ?? error.message,
      );
  /** Ends the running task, so that the next one begins. */
  async function next(times = 1) {
    for (let turn = 0; turn < times; turn += 1) {
      end();
      await settle();
    }
  }
  return { begun, run, next };
}

describe("a hashing queue", () => {
  it("takes a login before the sign-ups that wait, and gives those theirs", async () => {
    const { begun, run, next } = observed();
    for (let count = 0; count < 41; count += 1) void run("sign-up", "sign-up");
    await settle();
    for (let count = 0; count < 5; count += 1) void run("login", "login");
    await next(6);
    expect(begun.slice(1)).toEqual(["login", "login", "sign-up", "login", "login", "login"]);
  });

  it("refuses what is too much of one kind, the address with the most first, and no other kind", async () => {
    const { run, next, begun } = observed();
    const outcomes = Array.from({ length: 60 }, () => run("attacker", "sign-up", at("203.0.113.1")));
    const mine = run("customer", "sign-up", at("198.51.100.1"));
    const login = run("login", "login", at("203.0.113.1"));
    await settle();
    await next(70);
    expect(begun).toContain("customer");
    expect([await mine, await login]).toEqual(["done", "done"]);
    const all = await Promise.all(outcomes);
    // One runs, and 70 % of 60 wait.
    expect(all.filter((outcome) => outcome === "done")).toHaveLength(43);
    expect(all.filter((outcome) => outcome === "TEMPORARILY_UNAVAILABLE")).toHaveLength(17);
  });

  it("takes addresses in turn within a kind", async () => {
    const { begun, run, next } = observed();
    for (let count = 0; count < 20; count += 1) void run("attacker", "login", at("203.0.113.1"));
    void run("customer", "login", at("198.51.100.1"));
    await settle();
    await next(2);
    expect(begun).toEqual(["attacker", "attacker", "customer"]);
  });

  it("frees the place of a caller who cancels at once", async () => {
    const { begun, run, next } = observed();
    void run("first", "login");
    const leaving = new AbortController();
    const left = Array.from({ length: 112 }, () => run("left", "login", at("203.0.113.1", leaving.signal)));
    await settle();
    expect(await run("too many", "login")).toBe("TEMPORARILY_UNAVAILABLE");
    leaving.abort(new Error("gone"));
    expect(new Set(await Promise.all(left))).toEqual(new Set(["gone"]));
    const mine = run("mine", "login");
    await settle();
    await next(2);
    expect([await mine, begun]).toEqual(["done", ["first", "mine"]]);
    expect(await run("never", "login", at("203.0.113.1", leaving.signal))).toBe("gone");
  });

  it("goes on after a task that failed", async () => {
    const queue = createHashingQueue({ workersMax: 1 });
    const failed = queue.run("login", at("a"), () => Promise.reject(new Error("no")));
    const next = queue.run("login", at("b"), async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });
});
