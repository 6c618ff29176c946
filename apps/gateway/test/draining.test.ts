import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { health } from "@rialto/contracts/grpc";
import { expect, it } from "vitest";
import { startStubSystem } from "./stub-system.ts";

it("a gateway that closes is not ready at once, and goes on answering while it drains", async () => {
  const system = await startStubSystem({}, { gateway: { stopTimes: { drainMs: 4_000, workMs: 6_000 } } });
  await expect.poll(async () => (await fetch(`${system.url}/ready`)).status).toBe(200);
  const closed = system.close();
  const ready = await fetch(`${system.url}/ready`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: "not ready", stopping: true }]);
  const client = createClient(health.Health, createGrpcTransport({ baseUrl: system.url }));
  expect((await client.check({})).status).toBe(health.HealthCheckResponse_ServingStatus.NOT_SERVING);
  const answer = await fetch(`${system.url}/api/products`);
  expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
  await answer.text();
  await closed;
  await expect(fetch(`${system.url}/ready`)).rejects.toThrow();
}, 60_000);
