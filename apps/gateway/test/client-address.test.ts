import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { createAddressOf } from "../src/admission/client-address.ts";

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, "remoteAddress", { value: remoteAddress });
  return Object.assign(new IncomingMessage(socket), { headers });
}
const proxies = ["10.0.0.0/8", "fd00::/8"];
const proxiedAddressOf = createAddressOf(proxies);
const behindStandard = createAddressOf(proxies, "forwarded");

describe("the address of a client", () => {
  it("is the connection's, whatever the request says, where no proxy is trusted", () => {
    const forged = { "x-forwarded-for": "1.2.3.4", forwarded: "for=1.2.3.4" };
    expect(createAddressOf([])(from("203.0.113.9", forged))).toBe("203.0.113.9");
    expect(proxiedAddressOf(from("203.0.113.9", forged))).toBe("203.0.113.9");
    expect(createAddressOf([])(from("::ffff:203.0.113.9"))).toBe("203.0.113.9");
  });

  it.each([
    [{ "x-forwarded-for": "203.0.113.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "1.2.3.4, 203.0.113.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "1.2.3.4, 203.0.113.9, 10.9.9.9" }, "203.0.113.9"],
    [{ "x-forwarded-for": "203.0.113.9:1234" }, "203.0.113.9"],
    [{ "x-forwarded-for": "nonsense" }, "10.0.0.1"],
    [{}, "10.0.0.1"],
  ])("is what trusted proxies wrote, and no more: %j", (headers, address) => {
    expect(proxiedAddressOf(from("10.0.0.1", headers))).toBe(address);
  });

  it.each([
    [{ forwarded: 'for="[2001:DB8::1]:4711";proto=https, for=10.1.1.1' }, "2001:db8::1"],
    [{ forwarded: "for=1.2.3.4, for=203.0.113.9" }, "203.0.113.9"],
    [{ forwarded: "for=_hidden" }, "10.0.0.1"],
    [{}, "10.0.0.1"],
  ])("is what they wrote into RFC 7239's header, if that is the one that they write: %j", (headers, address) => {
    expect(behindStandard(from("10.0.0.1", headers))).toBe(address);
  });

  it("is reported once where a sender that is not a trusted proxy forwards one", () => {
    const reported: unknown[] = [];
    const addressOf = createAddressOf(proxies, "x-forwarded-for", (...args) => reported.push(args));
    addressOf(from("203.0.113.9"));
    addressOf(from("10.0.0.1", { "x-forwarded-for": "203.0.113.9" }));
    expect(reported).toEqual([]);
    for (let request = 0; request < 3; request += 1) addressOf(from("203.0.113.9", { forwarded: "for=1.2.3.4" }));
    expect(reported).toEqual([["203.0.113.9", "forwarded"]]);
  });

  it("is not what the client says in the header that the proxies do not write", () => {
    const made = { forwarded: "for=198.51.100.1" };
    expect(proxiedAddressOf(from("10.0.0.1", { ...made, "x-forwarded-for": "203.0.113.9" }))).toBe("203.0.113.9");
    expect(proxiedAddressOf(from("10.0.0.1", made))).toBe("10.0.0.1");
    const other = { "x-forwarded-for": "198.51.100.1" };
    expect(behindStandard(from("10.0.0.1", { ...other, forwarded: "for=203.0.113.9" }))).toBe("203.0.113.9");
    expect(behindStandard(from("10.0.0.1", other))).toBe("10.0.0.1");
  });
});
