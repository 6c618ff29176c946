import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createAddressCheck, plainAddress } from "@rialto/http";

/** Forwarded addresses that are read. A longer list is not honest. */
const hopsMax = 20;

/** Returns the client address of a request. */
export type AddressOf = (request: IncomingMessage) => string;

/** The header that proxies write client addresses into: RFC 7239's, or the one in common use. */
export type ForwardedHeader = "forwarded" | "x-forwarded-for";

/**
 * Makes a function that returns the client address, given the trusted proxies (addresses or CIDR blocks) and the one
 * header that they write. The other header is ignored, because a proxy that does not write it passes on what the client
 * put there. The header is read from its end, where the nearest proxy wrote, up to the first address that is not a
 * trusted proxy. Without trusted proxies it is the address of the connection. The first forwarding header from an
 * untrusted address is reported once: the sender may be a proxy that is missing from the configuration.
 */
export function createAddressOf(
  trustedProxies: readonly string[],
  header: ForwardedHeader = "x-forwarded-for",
  onUntrusted: (address: string, header: ForwardedHeader) => void = () => undefined,
): AddressOf {
  const isTrusted = createAddressCheck(trustedProxies);
  // It does not change while a connection lasts.
  const connected = new WeakMap<Socket, string>();
  const addressAt = (socket: Socket): string => {
    const known = connected.get(socket);
    if (known !== undefined) return known;
    const address = plainAddress(socket.remoteAddress ?? "");
    // A socket that is closed already tells none.
    if (address !== undefined) connected.set(socket, address);
    return address ?? "unknown";
  };
  let isReported = false;
  return (request) => {
    let address = addressAt(request.socket);
    if (address === "unknown" || trustedProxies.length === 0 || !isTrusted(address)) {
      const found = isReported ? undefined : forwardedHeaders.find((name) => request.headers[name] !== undefined);
      if (found !== undefined) {
        isReported = true;
        onUntrusted(address, found);
      }
      return address;
    }
    for (const hop of hopsOf(request, header).reverse().slice(0, hopsMax)) {
      const forwarded = plainAddress(hop);
      // A hop that is not an address ("unknown", "_hidden") ends the walk: the proxy that wrote it is the last known
      // sender.
      if (forwarded === undefined) return address;
      address = forwarded;
      if (!isTrusted(address)) return address;
    }
    return address;
  };
}

const forwardedHeaders: readonly ForwardedHeader[] = ["x-forwarded-for", "forwarded"];

/** Returns what each proxy wrote, the nearest proxy last. */
function hopsOf({ headers }: IncomingMessage, header: ForwardedHeader): string[] {
  const value = headers[header];
  const hops = typeof value === "string" ? value.split(",") : [];
  if (header === "x-forwarded-for") return hops;
  return hops.map((hop) => /(?:^|;)\s*for=("[^"]*"|[^;\s]*)/i.exec(hop)?.[1]?.replaceAll('"', "") ?? "");
}
