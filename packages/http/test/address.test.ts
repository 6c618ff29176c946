import { describe, expect, it } from "vitest";
import { limitKeyOf } from "../src/index.ts";

describe("the key of an address, where callers are counted", () => {
  it.each([
    "2001:db8:1:2::5",
    "2001:0DB8:0001:0002:0000:0000:0000:0005",
    "2001:db8:1:2:ffff:ffff:ffff:ffff",
    "2001:db8:1:2:0:0:0.0.0.9",
  ])("is that of its network, however it is spelled: %s", (address) => {
    expect(limitKeyOf(address)).toBe("2001:db8:1:2::/64");
  });

  it.each([
    ["2001:db8:1:3::5", "2001:db8:1:3::/64"],
    ["2001:db8::5", "2001:db8:0:0::/64"],
    ["1::2:3:4:5:6", "1:0:0:2::/64"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3::/64"],
    ["::1:0:0:0:1", "0:0:0:1::/64"],
    ["1:2:3:4::", "1:2:3:4::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("is another for another network: %s", (address, key) => {
    expect(limitKeyOf(address)).toBe(key);
  });

  it.each(["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:cb00:7109", "0:0:0:0:0:ffff:203.0.113.9"])(
    "is the address itself for IPv4, also as IPv6: %s",
    (address) => {
      expect(limitKeyOf(address)).toBe("203.0.113.9");
    },
  );

  it("is what was given where that is no address", () => {
    expect(["unknown", "inside", ""].map(limitKeyOf)).toEqual(["unknown", "inside", ""]);
  });
});
