import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHealthPages, type ServiceStatus } from "../src/index.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function statusOf(services: readonly ServiceStatus[]): Promise<unknown> {
  const answer = createHealthPages({
    readiness: async () => ({ isStopping: false, waiting: [] }),
    services: () => services,
  });
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => void server.close());
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const page: unknown = await (await fetch(`http://127.0.0.1:${port}/health/services`)).json();
  return page;
}

describe("the health of the services that a process calls", () => {
  const well = { breaker: "closed", lastError: undefined } as const;

  it("is degraded while the DNS name of one has no address", async () => {
    const found = { service: "user", replicas: [well] };
    expect(await statusOf([found])).toMatchObject({ status: "ok" });
    expect(await statusOf([found, { service: "order", replicas: [] }])).toMatchObject({
      status: "degraded",
      services: [{ service: "user" }, { service: "order", replicas: [] }],
    });
  });
});
