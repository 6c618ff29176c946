import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { describe, expect, it } from "vitest";
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
