import { BlockList, isIP, isIPv6 } from "node:net";

/** Tells whether an address is one of these, or in one of these CIDR blocks. */
export function createAddressCheck(addresses: readonly string[]): (address: string) => boolean {
  if (addresses.length === 0) return () => false;
  const trusted = blocksOf(addresses);
  return (text) => {
    const address = plainAddress(text);
    return address !== undefined && trusted.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  };
}

function blocksOf(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = "", bits] = proxy.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** An address without port, brackets and the prefix of IPv4 in IPv6; undefined where it is none. */
export function plainAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const inner =
    /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
  const address = inner.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}
