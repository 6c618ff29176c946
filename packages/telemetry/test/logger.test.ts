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

  it("is as quiet as its level", () => {
    const { log, lines } = capture("error");
    log.info("not written");
    expect(lines).toEqual([]);
  });
});
