import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { ClientTls } from "./http-client.ts";

/** The server at an origin, and how it is connected to. */
export interface Server {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  readonly tls: ClientTls;
  readonly lookup: LookupFunction | undefined;
  /** The TLS session of an earlier connection, which saves a part of the next handshake. */
  session: Buffer | undefined;
}

export function serverAt(
  origin: string,
  { tls = {}, lookup }: { readonly tls?: ClientTls | undefined; readonly lookup?: LookupFunction | undefined },
): Server {
  const { protocol, hostname, port } = new URL(origin);
  const isSecure = protocol === "https:";
  return {
    isSecure,
    // The brackets around an address of IPv6 belong to the URL.
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port || (isSecure ? 443 : 80)),
    tls,
    lookup,
    session: undefined,
  };
}

/**
 * How long a connection may take to be made. A request that is canceled meanwhile leaves its attempt behind for as
 * long, so it is short: a host that answers nothing would otherwise collect sockets.
 */
const connectMsMax = 2_000;
/** After so long without a byte, the operating system asks whether the server is still there. */
const probeMs = 60_000;
/** What is read at once. */
const readBytes = 16 * 1024;

/**
 * Connects to a server. What arrives is given to `onBytes`, in a buffer that is used again when it returns: Node's
 * streams would take 64 KiB for each read. `onReady` is called when something may be written. An attempt that takes too
 * long fails with ETIMEDOUT.
 */
export function openSocket(server: Server, onBytes: (bytes: Buffer) => void, onReady: () => void): Socket {
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (count: number) => {
    onBytes(count === readBytes ? buffer : buffer.subarray(0, count));
    return true;
  };
  const found = server.lookup === undefined ? {} : { lookup: server.lookup };
  const target = { host: server.host, port: server.port, onread: { buffer, callback }, ...found };
  const socket = server.isSecure ? connectTls(withTls(target, server)) : connect(target);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, probeMs);
  const timer = setTimeout(() => socket.destroy(new ConnectTimeout()), connectMsMax);
  socket.once("close", () => clearTimeout(timer));
  socket.once(server.isSecure ? "secureConnect" : "connect", () => {
    clearTimeout(timer);
    onReady();
  });
  socket.on("session", (session: Buffer) => {
    server.session = session;
  });
  return socket;
}

/** The server's name is sent where it is one, so that the server can choose its certificate. */
function withTls(target: ConnectionOptions, { host, tls, session }: Server): ConnectionOptions {
  const named = isIP(host) === 0 ? { servername: host } : {};
  return { ...target, ...named, ...tls, ALPNProtocols: ["http/1.1"], ...(session === undefined ? {} : { session }) };
}

class ConnectTimeout extends Error {
  override readonly name = "ConnectTimeout";
  readonly code = "ETIMEDOUT";
  /** As Node's own errors say it. It tells that nothing was sent. */
  readonly syscall = "connect";

  constructor() {
    super(`no connection within ${connectMsMax} ms`);
  }
}
