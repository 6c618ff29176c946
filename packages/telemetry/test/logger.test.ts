import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createLogger } from "../src/index.ts";

function capture(level?: string) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { log: createLogger({ service: "order", destination, ...(level && { level }) }), lines };
}

describe("createLogger", () => {
  it("writes JSON lines that name the service, the level and the time", () => {
    const { log, lines } = capture();
    log.info({ orderId: "o-1" }, "placed");
    expect(lines).toMatchObject([{ service: "order", level: "info", orderId: "o-1", msg: "placed" }]);
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it("writes the time to the millisecond, in every second anew", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { log, lines } = capture();
    const times = [0, 7, 999, 1_000, 1_764_204_620_045];
    for (const time of times) {
      vi.setSystemTime(time);
      log.info("now");
    }
    expect(lines.map(({ time }) => time)).toEqual(times.map((time) => new Date(time).toISOString()));
  });

  it("never writes a secret, however deep it lies", () => {
    const { log, lines } = capture();
    const secrets = {
      password: "hunter2",
      access_token: "hunter2",
      authorization: "hunter2",
      "rialto-service": "hunter2",
    };
    log.info({ ...secrets, request: { ...secrets, user: { ...secrets, inner: secrets } } }, "login");
    log.child({ headers: secrets }).warn("again");
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  it("leaves out what lies too deep to be looked at, and writes the plain values there", () => {
    const { log, lines } = capture();
    const deep = { token: "hunter2", own: { password: "hunter2" } };
    log.info({ a: { b: { c: { deep, list: [deep], text: "kept", at: new Date(0), none: null } } } }, "deep");
    log.info("%j", [[[[[deep]]]]]);
    log.child({ a: { b: { c: { deep } } } }).info("child");
    log.error({ err: Object.assign(new Error("refused"), { a: { b: { c: { d: deep } } } }) }, "error");
    expect(JSON.stringify(lines)).not.toContain("hunter2");
    expect(lines[0]).toMatchObject({
      a: {
        b: { c: { deep: "[redacted]", list: "[redacted]", text: "kept", at: "1970-01-01T00:00:00.000Z", none: null } },
      },
    });
  });

  it("leaves out secrets in lists, in what has its own JSON, in a child of a child and in a message's values", () => {
    const { log, lines } = capture();
    const secrets = { token: "hunter2", kept: 1 };
    log.info({ users: [secrets], at: new Date(0), own: { toJSON: () => ({ cookie: "hunter2", kept: 2 }) } }, "list");
    log.child({ a: 1 }).child({ headers: secrets }).info("child");
    log.info("sent %j", secrets);
    log.info({ n: 1 }, "sent %j", secrets);
    expect(lines).toMatchObject([
      {
        users: [{ token: "[redacted]", kept: 1 }],
        at: "1970-01-01T00:00:00.000Z",
        own: { cookie: "[redacted]", kept: 2 },
      },
      { a: 1, headers: { token: "[redacted]", kept: 1 } },
      { msg: 'sent {"token":"[redacted]","kept":1}' },
      { n: 1, msg: 'sent {"token":"[redacted]","kept":1}' },
    ]);
  });

  it("leaves out secrets in JSON that has JSON of its own again, however often", () => {
    const { log, lines } = capture();
    const secret = { token: "hunter2" };
    const twice = { toJSON: () => ({ toJSON: () => secret }) };
    const endless = { toJSON: () => ({ ...secret, toJSON: endless.toJSON }) };
    log.info({ twice, endless, err: Object.assign(new Error("refused"), { twice }) }, "nested");
    expect(lines).toMatchObject([{ twice: { token: "[redacted]" } }]);
    expect(JSON.stringify(lines)).not.toContain("hunter2");
  });

  it("leaves what is logged as it was", () => {
    const { log } = capture();
    const logged = { token: "t", inner: { password: "p", list: [{ secret: "s" }] } };
    log.info(logged, "logged");
    expect(logged).toEqual({ token: "t", inner: { password: "p", list: [{ secret: "s" }] } });
  });

  it("leaves out the secrets of an error, and writes what throws when it is asked for its JSON as unreadable", () => {
    const { log, lines } = capture();
    const broken = {
      toJSON() {
        throw new Error("no JSON");
      },
    };
    log.error({ err: Object.assign(new Error("refused"), { token: "hunter2", query: { password: "hunter2" } }) });
    log.info({ broken }, "broken");
    expect(lines).toMatchObject([
      { err: { message: "refused", token: "[redacted]", query: { password: "[redacted]" } }, msg: "refused" },
      { msg: "broken" },
    ]);
  });

  it("keeps the cause of an error and leaves out the row that Postgres refused", () => {
    const { log, lines } = capture();
    const cause = Object.assign(new Error("duplicate key"), { detail: "Key (email)=(a@b.c) already exists." });
    log.error({ err: new Error("user was not stored", { cause }) }, "failed");
    log.error({ err: cause }, "failed");
    expect(JSON.stringify(lines[0])).toContain("duplicate key");
    expect(JSON.stringify(lines)).not.toContain("a@b.c");
  });

  // A device that is always full.
  it.runIf(process.platform === "linux")("costs lines and not the process where standard output is full", async () => {
    const logger = new URL("../src/logger.ts", import.meta.url).href;
    const program = `
      const { createLogger } = await import(${JSON.stringify(logger)});
      const log = createLogger({ service: "order" });
      for (let n = 0; n < 3; n += 1) log.info("lost");
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.exit(7);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", openSync("/dev/full", "w"), "inherit"],
      timeout: 4_000,
      killSignal: "SIGKILL",
    });
    expect(await once(child, "exit")).toEqual([7, null]);
  });

  it("is as quiet as its level", () => {
    const { log, lines } = capture("error");
    log.info("not written");
    expect(lines).toEqual([]);
  });
});
