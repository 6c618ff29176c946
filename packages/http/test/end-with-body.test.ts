import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endWithBody } from "../src/index.ts";

/** Every byte there is, more than once. */
const bytes = (size: number) => Uint8Array.from({ length: size }, (_, at) => at);
let body: Uint8Array | undefined;
const server = createServer((_req, res) => endWithBody(res, body));

beforeEach(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

describe("endWithBody", () => {
  it.each([0, 1, 1_000, 16 * 1024, 16 * 1024 + 1, 100_000])("sends %s bytes as they are", async (size) => {
    // A part of a larger buffer, as a body that was read is.
    body = bytes(size + 7).subarray(7);
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  });

  it("sends nothing where there is no body", async () => {
    body = undefined;
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });
});
