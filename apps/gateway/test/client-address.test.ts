import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createAddressOf } from "../src/client-address.ts";

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  return Object.assign(new IncomingMessage(socket), { headers });
}
const behind = createAddressOf(["10.0.0.0/8", "fd00::/8"]);

describe("the address of a client", () => {
  it("is the connection's, whatever the request says, where no proxy is trusted", () => {
    const forged = { "x-forwarded-for": "1.2.3.4", forwarded: "for=1.2.3.4" };
    expect(createAddressOf([])(from("203.0.113.9", forged))).toBe("203.0.113.9");
    expect(behind(from("203.0.113.9", forged))).toBe("203.0.113.9");
    expect(createAddressOf([])(from("::ffff:203.0.113.9"))).toBe("203.0.113.9");
  });

  it.each([
    [{ "x-forwarded-for": "203.0.113.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "1.2.3.4, 203.0.113.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "1.2.3.4, 203.0.113.9, 10.9.9.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "203.0.113.9:1234" }, "203.0.113.9"],
    [{ forwarded: 'for="[2001:DB8::1]:4711";proto=https, for=10.1.1.1' }, "2001:db8::1"],
    [{ forwarded: "for=203.0.113.9", "x-forwarded-for": "1.2.3.4" }, "203.0.113.9"],
    [{ forwarded: "for=_hidden" }, "10.0.0.1"],
    [{ "x-forwarded-for": "nonsense" }, "10.0.0.1"],
    [{}, "10.0.0.1"],
  ])("is what trusted proxies say it is, and no more: %j", (headers, address) => {
    expect(behind(from("10.0.0.1", headers))).toBe(address);
  });
});
