import { BlockList, isIP, isIPv6, SocketAddress } from "node:net";

/** Creates a predicate for addresses that are one of these, or in one of these CIDR blocks. */
export function createAddressCheck(addresses: readonly string[]): (address: string) => boolean {
  if (addresses.length === 0) return () => false;
  const list = blockListOf(addresses);
  return (text) => {
    const address = plainAddress(text);
    return address !== undefined && list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  };
}

function blockListOf(addresses: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of addresses) {
    const [address = "", bits] = text.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * Returns an address without its port, its brackets and the prefix of IPv4 in IPv6; undefined where the text is no
 * address.
 */
export function plainAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const inner =
    /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
  const address = inner.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}

/** Groups of an IPv6 address, and how many of them are the network of one household or one machine. */
const groupsOfAll = 8;
const groupsOfNetwork = 4;

/**
 * Returns the key under which an address is counted. A client with an IPv6 address can use the 2^64 addresses of its
 * network (a /64), so they have one key; an IPv4 address is its own, also where it is written as IPv6. Every spelling
 * of an address has the same key. Text that is no address is its own key.
 */
export function limitKeyOf(address: string): string {
  // Without a colon it is certainly none, and the check is a long expression.
  if (!address.includes(":") || !isIPv6(address)) return address;
  // Canonical: lower case, no leading zeros, the longest run of zeros left out, an IPv4 address in it with dots.
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  const ipv4 = /^::ffff:([\d.]+)$/.exec(canonical)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const [before = [], after = []] = canonical.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = new Array<string>(groupsOfAll - before.length - after.length).fill("0");
  return `${[...before, ...zeros, ...after].slice(0, groupsOfNetwork).join(":")}::/64`;
}
