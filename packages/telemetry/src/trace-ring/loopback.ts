import { BlockList, isIP, isIPv6 } from "node:net";

/** Addresses of IPv4 are also found where they are written as IPv6. */
const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a text is an address by which only this machine reaches itself. */
export function isLoopbackAddress(text: string): boolean {
  return isIP(text) !== 0 && loopback.check(text, isIPv6(text) ? "ipv6" : "ipv4");
}

/** Whether a request's `Host`, with or without a port, names this machine by such an address or as localhost. */
export function isLoopbackHost(host: string | undefined): boolean {
  const [, inBrackets, other = ""] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host ?? "") ?? [];
  if (inBrackets !== undefined) return isIPv6(inBrackets) && isLoopbackAddress(inBrackets);
  return other.toLowerCase() === "localhost" || isLoopbackAddress(other);
}
