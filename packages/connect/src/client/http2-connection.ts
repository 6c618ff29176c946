import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ClientTls } from "@rialto/http";

/** How the connections of HTTP/2 are kept. The defaults are those of the official transports. */
export interface Http2ConnectionOptions {
  readonly origin: string;
  readonly tls?: ClientTls;
  /** After so long without a byte, a connection with streams is pinged. Where it is not given, none is. */
  readonly pingIntervalMs?: number;
  /** How long the response to a ping may take. Then the connection is lost. */
  readonly pingTimeoutMs?: number;
  /** A connection without streams is pinged too. */
  readonly pingIdleConnection?: boolean;
  /** After so long without a byte, a connection takes no more requests, and is closed when it has no stream. */
  readonly idleConnectionTimeoutMs?: number;
}

/** One connection, and the next one when it is lost. */
export interface Http2Connection {
  streams(): number;
  /** Begins a stream. Connects first where there is no connection; the stream fails where that fails. */
  request(fields: OutgoingHttpHeaders, o: { readonly endStream: boolean }): ClientHttp2Stream;
  destroy(): void;
}

const pingResponseMsMax = 15_000;
const idleMsMax = 900_000;

/** Creates a connection, which is established at its first request. */
export function createHttp2Connection(o: Http2ConnectionOptions): Http2Connection {
  let current: OpenConnection | undefined;
  return {
    streams: () => current?.streams() ?? 0,
    request(fields, options) {
      if (current?.isUsable() !== true) current = open(o);
      return current.request(fields, options);
    },
    destroy: () => current?.destroy(),
  };
}

interface OpenConnection extends Http2Connection {
  /** Whether it takes more requests: not one that closes, nor an idle one that may be dead. */
  isUsable(): boolean;
}

function open(o: Http2ConnectionOptions): OpenConnection {
  const session = connect(o.origin, { ...o.tls });
  let streams = 0;
  const isWatched = () => streams > 0 || o.pingIdleConnection === true;
  const pings = o.pingIntervalMs === undefined ? undefined : keepAlive(session, o.pingIntervalMs, o, isWatched);
  // Each stream gets the error. Without a listener, Node ends the process.
  session.on("error", () => undefined);
  session.setTimeout(o.idleConnectionTimeoutMs ?? idleMsMax, () => session.close());
  return {
    streams: () => streams,
    request(fields, options) {
      const stream = session.request(fields, options);
      streams += 1;
      // A process may end while its connections have no streams.
      if (streams === 1) session.ref();
      stream.once("close", () => {
        streams -= 1;
        if (streams === 0 && !session.destroyed) session.unref();
      });
      return stream;
    },
    isUsable() {
      if (session.closed || session.destroyed) return false;
      const isDoubtful = streams === 0 && o.pingIdleConnection !== true && pings?.isQuiet() === true;
      if (isDoubtful) session.close();
      return !isDoubtful;
    },
    destroy: () => session.destroy(),
  };
}

/**
 * Pings a connection that is watched and was quiet for an interval, and destroys it where the response is late: the
 * operating system would notice a dead peer after many minutes.
 */
function keepAlive(
  session: ClientHttp2Session,
  intervalMs: number,
  { pingTimeoutMs = pingResponseMsMax }: Http2ConnectionOptions,
  isWatched: () => boolean,
): { isQuiet(): boolean } {
  let heardBytes = 0;
  let isQuiet = false;
  const timer = setInterval(() => {
    const bytes = session.socket?.bytesRead ?? 0;
    isQuiet = bytes === heardBytes;
    heardBytes = bytes;
    if (!isQuiet || !isWatched() || session.connecting || session.destroyed) return;
    const late = setTimeout(
      () => session.destroy(new ConnectError("PING timed out", Code.Unavailable)),
      pingTimeoutMs,
    ).unref();
    session.ping(() => clearTimeout(late));
  }, intervalMs).unref();
  session.once("close", () => clearInterval(timer));
  return { isQuiet: () => isQuiet };
}
