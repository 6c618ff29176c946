import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { redisForTests } from "../src/index.ts";

describe("redisForTests", () => {
  it("starts servers that do not meet and are gone when closed", async () => {
    const [one, other] = await Promise.all([redisForTests(), redisForTests()]);
    expect(one === undefined).toBe(other === undefined);
    if (one === undefined || other === undefined) return;
    expect(one.url).not.toBe(other.url);
    await Promise.all([one.close(), other.close()]);
    const refused = await new Promise((resolve) => connect(one.port, "127.0.0.1").once("error", () => resolve(true)));
    expect(refused).toBe(true);
  });
});
