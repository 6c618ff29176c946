import type { ClientHttp2Stream, Http2Session } from "node:http2";
import type { LookupFunction } from "node:net";
import { createNodeHttpClient, Http2SessionManager } from "@connectrpc/connect-node";
import { withTimeout } from "@rialto/async";
import { keepAliveMsMax } from "@rialto/http";
import { upstreamSessionsMax } from "../limits.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { saysItsEnd } from "../wire/wire-protocol.ts";
import { BrokenResponse, SessionLost, StreamRefused } from "./response-failure.ts";

/** Sends requests over HTTP/2 to one address. */
export interface Http2Sessions {
  /**
   * Rejects with `BrokenResponse` where the stream of this request broke and its connection did not, with
   * `StreamRefused` where the server did no work for it, and with `SessionLost` where the connection was lost; with the
   * library's error where no connection was established.
   */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): void;
}

/** How often a quiet connection with streams is pinged, and how long the response to a ping may take. */
const pingMs = 10_000;
const pingResponseMsMax = 5_000;

/** One connection, and the next one when it is lost. */
interface Slot {
  readonly manager: Http2SessionManager;
  /** The session of its last request. */
  session: Http2Session | undefined;
  streams: number;
}

/** The address that is connected to. */
export interface Http2Address {
  readonly url: string;
  /** Finds the address of the host in the URL; the operating system does where it is undefined. */
  readonly lookup: LookupFunction | undefined;
  /** Called where the server asks for no more requests on a connection, and not because of an error. */
  readonly onGoaway: () => void;
}

/**
 * Creates several connections. Each request uses the one with the fewest streams, so that a lost connection ends only a
 * part of the calls. None is established before its first request.
 */
export function createHttp2Sessions(at: Http2Address): Http2Sessions {
  const slots = Array.from(
    { length: upstreamSessionsMax },
    (): Slot => ({ manager: createManager(at), session: undefined, streams: 0 }),
  );
  const lost: LostSessions = { ends: new WeakMap(), counted: new WeakSet(), onGoaway: at.onGoaway };
  return {
    async send(request) {
      const slot = slots.reduce((least, other) => (other.streams < least.streams ? other : least));
      const call: Call = { session: undefined, fault: undefined, closed: Promise.withResolvers() };
      const classified = (error: unknown) => classify(error, call, request.signal, lost);
      try {
        // The client does not notice a stream that its server closes without a response and without an error.
        const response = await Promise.race([createClient(slot, call, lost)(request), call.closed.promise]);
        return { ...response, body: classifying(response, classified) };
      } catch (error) {
        throw await classified(error);
      }
    },
    close: () => {
      for (const { manager } of slots) manager.abort();
    },
  };
}

/** The state of a request that has a stream. */
interface Call {
  session: Http2Session | undefined;
  /** Why its stream ended, where the stream failed and not its connection. */
  fault: "refused" | "broken" | undefined;
  /** Rejects when the stream closes before there is a response. */
  readonly closed: PromiseWithResolvers<never>;
}

function createManager({ url, lookup }: Http2Address): Http2SessionManager {
  const pings = {
    pingIntervalMs: pingMs,
    pingTimeoutMs: pingResponseMsMax,
    // Less than servers wait, so that the client closes an idle connection.
    idleConnectionTimeoutMs: keepAliveMsMax - pingMs,
  };
  return new Http2SessionManager(url, pings, lookup === undefined ? {} : { lookup });
}

/** When each session ends, and those whose loss was counted as a failure. */
interface LostSessions extends Pick<Http2Address, "onGoaway"> {
  readonly ends: WeakMap<Http2Session, Promise<void>>;
  readonly counted: WeakSet<Http2Session>;
}

function createClient(slot: Slot, call: Call, lost: LostSessions) {
  const { manager } = slot;
  const sessionProvider = () => ({
    authority: manager.authority,
    async request(...args: Parameters<Http2SessionManager["request"]>) {
      slot.streams += 1;
      const release = () => {
        slot.streams -= 1;
      };
      try {
        const stream = await manager.request(...args);
        stream.once("close", release);
        const { session } = stream;
        if (slot.session !== session && session !== undefined) watchSession(session, lost);
        slot.session = session;
        call.session = session;
        watchStream(stream, call, lost);
        return stream;
      } catch (error) {
        release();
        throw error;
      }
    },
    notifyResponseByteRead: (stream: ClientHttp2Stream) => manager.notifyResponseByteRead(stream),
  });
  return createNodeHttpClient({ httpVersion: "2", sessionProvider });
}

function watchStream(stream: ClientHttp2Stream, call: Call, { counted }: LostSessions): void {
  call.closed.promise.catch(() => undefined);
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_HTTP2_STREAM_ERROR") return;
    call.fault = stream.rstCode === refusedStream ? "refused" : "broken";
    // Where the stream's error closes the connection too, that is no failure of the replica.
    if (call.session !== undefined) counted.add(call.session);
  });
  let hasResponse = false;
  stream.once("response", () => {
    hasResponse = true;
  });
  stream.once("close", () => {
    if (!hasResponse)
      call.closed.reject(new Error(`the stream was closed without a response, with code ${stream.rstCode}`));
  });
}

function watchSession(session: Http2Session, { ends, onGoaway }: LostSessions): void {
  session.on("goaway", (code) => {
    if (code === noError) onGoaway();
  });
  // The manager removes its listener when it stops using the connection: a later error would end the process.
  session.on("error", () => undefined);
  ends.set(session, new Promise((resolve) => session.once("close", resolve)));
}

/** Yields the body of a response. Throws where it breaks off, or a gRPC response has no status. */
async function* classifying(
  response: HttpResponse,
  classified: (error: unknown) => Promise<unknown>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* response.body;
    // A server that ends its connection ends its streams first, as it ends those whose responses are whole.
    if (!saysItsEnd(response)) throw new Error("a gRPC response without a status");
  } catch (error) {
    throw await classified(error);
  }
}

async function classify(
  error: unknown,
  { session, fault }: Call,
  signal: AbortSignal | undefined,
  { ends, counted }: LostSessions,
): Promise<unknown> {
  // The caller canceled the request, or it never had a stream.
  if (signal?.aborted === true || session === undefined) return error;
  if (fault === "refused") return new StreamRefused(error);
  if (fault === "broken") return new BrokenResponse(error);
  const isLost = () => session.destroyed || session.closed;
  // A connection that is lost closes its streams first. Its own end may come in a later packet.
  if (!isLost()) await withTimeout(ends.get(session) ?? Promise.resolve(), lossMsMax, undefined);
  if (!isLost()) return new BrokenResponse(error);
  const isFirst = !counted.has(session);
  counted.add(session);
  return new SessionLost(isFirst, error);
}

/** How long after one of its streams the loss of a connection is noticed. */
const lossMsMax = 100;

/** REFUSED_STREAM: the server did not process the request, so it may be retried (RFC 9113, section 8.7). */
const refusedStream = 0x7;

/** NO_ERROR: by GOAWAY with this code, a server that is about to stop says so (RFC 9113, section 6.8). */
const noError = 0x0;
