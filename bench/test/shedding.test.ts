import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { phasedLoad } from "../load/phased-load.ts";
import { sheddingTogether } from "../measure/shedding.ts";

const step = (shed: number) => ({ answered: 10 - shed, shed, failed: 0 });

describe("replicas that shed", () => {
  it("are found in step where both shed at the same moments", () => {
    const { correlation } = sheddingTogether([[0, 8, 0, 8].map(step), [1, 7, 1, 7].map(step)]);
    expect(correlation).toBeCloseTo(1);
  });

  it("are found out of step where one sheds while the other does not", () => {
    const { correlation, shares } = sheddingTogether([[0, 8, 0, 8].map(step), [8, 0, 8, 0].map(step)]);
    expect(correlation).toBeCloseTo(-1);
    expect(shares[0]).toEqual({ mean: 0.4, deviation: 0.4 });
  });
});

describe("a load in phases", () => {
  it("counts by target what was answered, shed and failed", async () => {
    const statuses = [200, 503, 500];
    const servers = statuses.map((status) => createServer((_, response) => response.writeHead(status).end()));
    try {
      for (const server of servers) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      // Each listens on a port.
      const targets = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const found = await phasedLoad({
        targets,
        phases: [{ seconds: 0.2, perSecond: 150 }],
        next: () => ({ method: "GET", path: "/", headers: {} }),
      });
      const sums = found.steps.map((steps) => ({
        answered: steps.reduce((sum, { answered }) => sum + answered, 0),
        shed: steps.reduce((sum, { shed }) => sum + shed, 0),
        failed: steps.reduce((sum, { failed }) => sum + failed, 0),
      }));
      const sent = sums.map(({ answered, shed, failed }) => answered + shed + failed);
      expect(sums).toEqual([
        { answered: sent[0], shed: 0, failed: 0 },
        { answered: 0, shed: sent[1], failed: 0 },
        { answered: 0, shed: 0, failed: sent[2] },
      ]);
      expect(Math.min(...sent)).toBeGreaterThan(0);
      expect(found.withoutRetryAfter).toBe(sent[1]);
      expect(found.lastShedMs).toBeGreaterThanOrEqual(0);
    } finally {
      for (const server of servers) server.close();
    }
  });
});
