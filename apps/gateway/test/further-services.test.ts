import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startSuiteGateway } from "../conformance/suite-gateway.ts";
import type { Gateway } from "../src/index.ts";

const host = "127.0.0.1";
const heard: IncomingHttpHeaders[] = [];
const service = createServer((request, response) => {
  heard.push(request.headers);
  request.resume().on("end", () => response.setHeader("content-type", "application/json").end("{}"));
});
let gateway: Gateway;

beforeAll(async () => {
  await new Promise<void>((listening) => service.listen(0, host, listening));
  // A server that listens to a port has its number.
  const { port } = service.address() as AddressInfo;
  gateway = await startSuiteGateway({ host, serviceUrl: `http://${host}:${port}` });
});
afterAll(async () => {
  await gateway.close();
  service.close();
});

function call(method: string, headers: Readonly<Record<string, string>> = {}) {
  const url = `http://${host}:${gateway.port}/connectrpc.conformance.v1.ConformanceService/${method}`;
  return fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: "{}" });
}

it("a service beside those of the contract is forwarded to by the options of its methods", async () => {
  expect((await call("Unary")).status).toBe(200);
  expect((await call("NoSuchMethod")).status).toBe(501);
});

it("a request header passes to a service where the gateway was told its name, and no other does", async () => {
  heard.length = 0;
  await call("Unary", { "x-conformance-test": "a", "x-untold": "b" });
  expect(heard.map((headers) => [headers["x-conformance-test"], headers["x-untold"]])).toEqual([["a", undefined]]);
});
