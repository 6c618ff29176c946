import { describe, expect, it } from "vitest";
import { createConnectionLimit } from "../src/connection-limit.ts";

describe("the connections of a client", () => {
  it("are counted for all addresses of one IPv6 network, until they are closed", () => {
    const connections = createConnectionLimit(() => 2);
    const release = connections.acquire("2001:db8:1:2::1");
    expect(connections.acquire("2001:db8:1:2::2")).toBeDefined();
    expect(connections.acquire("2001:db8:1:2::3")).toBeUndefined();
    expect(connections.acquire("2001:db8:1:3::3")).toBeDefined();
    release?.();
    expect(connections.acquire("2001:db8:1:2::3")).toBeDefined();
  });

  it("are not taken from a proxy's neighbours by the proxy, which may have any number", () => {
    const connections = createConnectionLimit((address) => (address === "fd00::1" ? Number.POSITIVE_INFINITY : 1));
    for (let count = 0; count < 5; count += 1) expect(connections.acquire("fd00::1")).toBeDefined();
    expect(connections.acquire("fd00::2")).toBeDefined();
    expect(connections.acquire("fd00::3")).toBeUndefined();
  });
});
