import { isIPv6, SocketAddress } from "node:net";

/** Groups of an IPv6 address, and how many of them name the network that one household or one machine is given. */
const groupsOfAll = 8;
const groupsOfNetwork = 4;

/**
 * What stands for an address where callers are counted. Whoever has an IPv6 address has the 2^64 of its network (a /64) to choose from, so they count as
 * one; an IPv4 address stands for itself, also where it is written as IPv6. However an address is spelled, its key is the same. What is no address is
 * its own key.
 */
export function limitKeyOf(address: string): string {
  if (!isIPv6(address)) return address;
  // The system writes it in one way only: lower case, no leading zeros, the longest run of zeros left out, IPv4 in it with dots.
  const plain = new SocketAddress({ address, family: "ipv6" }).address;
  const ipv4 = /^::ffff:([\d.]+)$/.exec(plain)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const [before = [], after = []] = plain.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = new Array<string>(groupsOfAll - before.length - after.length).fill("0");
  return `${[...before, ...zeros, ...after].slice(0, groupsOfNetwork).join(":")}::/64`;
}
