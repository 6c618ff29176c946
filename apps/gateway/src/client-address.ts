import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";

/** Forwarded addresses that are looked at. A longer list is made up. */
const hopsMax = 20;

/** Tells the address that a request comes from. */
export type AddressOf = (request: IncomingMessage) => string;

/** The header that the proxies write addresses into: RFC 7239's, or the one that most write. */
export type ForwardedHeader = "forwarded" | "x-forwarded-for";

/**
 * Makes it from the proxies that are trusted, as addresses or CIDR blocks, and the one header that they write. The other is not heard, because a proxy
 * that does not write it passes on what the client says in it. What the header says counts only as far as trusted proxies have said it: the list is
 * read from its end, where the nearest has written, up to the first address that is no trusted proxy. Without trusted proxies it is the address of the
 * connection, and nothing else is heard.
 */
export function createAddressOf(
  trustedProxies: readonly string[],
  header: ForwardedHeader = "x-forwarded-for",
): AddressOf {
  const isTrusted = createProxyCheck(trustedProxies);
  return (request) => {
    let address = plain(request.socket.remoteAddress ?? "") ?? "unknown";
    if (address === "unknown" || trustedProxies.length === 0 || !isTrusted(address)) return address;
    for (const hop of hopsOf(request, header).reverse().slice(0, hopsMax)) {
      const said = plain(hop);
      // What is no address ("unknown", "_hidden") leads no further: the proxy that wrote it is the last that is known.
      if (said === undefined) return address;
      address = said;
      if (!isTrusted(address)) return address;
    }
    return address;
  };
}

/** Tells whether an address is a trusted proxy's. */
export function createProxyCheck(trustedProxies: readonly string[]): (address: string) => boolean {
  const trusted = blocksOf(trustedProxies);
  return (text) => {
    const address = plain(text);
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

/** What each proxy has written, the nearest last. */
function hopsOf({ headers }: IncomingMessage, header: ForwardedHeader): string[] {
  const value = headers[header];
  const hops = typeof value === "string" ? value.split(",") : [];
  if (header === "x-forwarded-for") return hops;
  return hops.map((hop) => /(?:^|;)\s*for=("[^"]*"|[^;\s]*)/i.exec(hop)?.[1]?.replaceAll('"', "") ?? "");
}

/** An address without port, brackets and the prefix of IPv4 in IPv6; undefined where it is none. */
function plain(text: string): string | undefined {
  const trimmed = text.trim();
  const inner =
    /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
  const address = inner.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}
