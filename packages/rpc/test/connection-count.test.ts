import { describe, expect, it } from "vitest";
import { countConnections } from "../src/http/connection-limit.ts";

describe("the connections of a client", () => {
  it("are counted for all addresses of one IPv6 network, until they are closed", () => {
    const connections = countConnections(() => 2);
    const giveBack = connections.take("2001:db8:1:2::1");
    expect(connections.take("2001:db8:1:2::2")).toBeDefined();
    expect(connections.take("2001:db8:1:2::3")).toBeUndefined();
    expect(connections.take("2001:db8:1:3::3")).toBeDefined();
    giveBack?.();
    expect(connections.take("2001:db8:1:2::3")).toBeDefined();
  });

  it("are not taken from a proxy's neighbours by the proxy, which may have any number", () => {
    const connections = countConnections((address) => (address === "fd00::1" ? Number.POSITIVE_INFINITY : 1));
    for (let count = 0; count < 5; count += 1) expect(connections.take("fd00::1")).toBeDefined();
    expect(connections.take("fd00::2")).toBeDefined();
    expect(connections.take("fd00::3")).toBeUndefined();
  });
});
