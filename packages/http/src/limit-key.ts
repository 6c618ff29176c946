import { isIPv6, SocketAddress } from "node:net";

/** Groups of an IPv6 address, and how many of them are the network of one household or one machine. */
const groupsOfAll = 8;
const groupsOfNetwork = 4;

/**
 * Returns the key under which an address is counted. A client with an IPv6 address can use the 2^64 addresses of its network (a /64), so they have one
 * key; an IPv4 address is its own, also where it is written as IPv6. Every spelling of an address has the same key. Text that is no address is its own
 * key.
 */
export function limitKeyOf(address: string): string {
  if (!isIPv6(address)) return address;
  // Canonical: lower case, no leading zeros, the longest run of zeros left out, an IPv4 address in it with dots.
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  const ipv4 = /^::ffff:([\d.]+)$/.exec(canonical)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const [before = [], after = []] = canonical.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = new Array<string>(groupsOfAll - before.length - after.length).fill("0");
  return `${[...before, ...zeros, ...after].slice(0, groupsOfNetwork).join(":")}::/64`;
}
