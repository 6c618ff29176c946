import type { IncomingMessage } from "node:http";
import { createAddressCheck, plainAddress } from "@rialto/rpc";

/** Forwarded addresses that are looked at. A longer list is made up. */
const hopsMax = 20;

/** Tells the address that a request comes from. */
export type AddressOf = (request: IncomingMessage) => string;

/** The header that the proxies write addresses into: RFC 7239's, or the one that most write. */
export type ForwardedHeader = "forwarded" | "x-forwarded-for";

/**
 * Makes it from the proxies that are trusted, as addresses or CIDR blocks, and the one header that they write. The
 * other is not heard, because a proxy that does not write it passes on what the client says in it. What the header says
 * counts only as far as trusted proxies have said it: the list is read from its end, where the nearest has written, up
 * to the first address that is no trusted proxy. Without trusted proxies it is the address of the connection, and
 * nothing else is heard. The first such header from an address that is no trusted proxy is reported, once: it may be a
 * proxy that nobody has named.
 */
export function createAddressOf(
  trustedProxies: readonly string[],
  header: ForwardedHeader = "x-forwarded-for",
  onUntrusted: (address: string, header: ForwardedHeader) => void = () => undefined,
): AddressOf {
  const isTrusted = createAddressCheck(trustedProxies);
  let isTold = false;
  return (request) => {
    let address = plainAddress(request.socket.remoteAddress ?? "") ?? "unknown";
    if (address === "unknown" || trustedProxies.length === 0 || !isTrusted(address)) {
      const found = isTold ? undefined : forwardedHeaders.find((name) => request.headers[name] !== undefined);
      if (found !== undefined) {
        isTold = true;
        onUntrusted(address, found);
      }
      return address;
    }
    for (const hop of hopsOf(request, header).reverse().slice(0, hopsMax)) {
      const said = plainAddress(hop);
      // What is no address ("unknown", "_hidden") leads no further: the proxy that wrote it is the last that is known.
      if (said === undefined) return address;
      address = said;
      if (!isTrusted(address)) return address;
    }
    return address;
  };
}

const forwardedHeaders: readonly ForwardedHeader[] = ["x-forwarded-for", "forwarded"];

/** What each proxy has written, the nearest last. */
function hopsOf({ headers }: IncomingMessage, header: ForwardedHeader): string[] {
  const value = headers[header];
  const hops = typeof value === "string" ? value.split(",") : [];
  if (header === "x-forwarded-for") return hops;
  return hops.map((hop) => /(?:^|;)\s*for=("[^"]*"|[^;\s]*)/i.exec(hop)?.[1]?.replaceAll('"', "") ?? "");
}
