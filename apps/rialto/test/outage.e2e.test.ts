import { redisForTests } from "@rialto/testing";
import { describe, expect, it } from "vitest";
import { runOutages } from "./outage/run-outage.ts";

const probe = await redisForTests();
await probe?.close();

// `npm run outage` does the same for a minute each.
describe.runIf(probe !== undefined)("six processes whose Postgres and Redis go away for a moment", () => {
  it("say so as docs/operate.md says, recover by themselves, and confirm all that they accepted", async () => {
    const results = await runOutages({ seconds: 2, parts: ["postgres", "redis"], report: () => undefined });
    for (const { part, statements, accepted, confirmed } of results) {
      for (const { text, faults } of statements) expect(faults, `${part}: ${text}`).toEqual([]);
      expect({ part, confirmed }).toEqual({ part, confirmed: accepted });
    }
  }, 300_000);
});
