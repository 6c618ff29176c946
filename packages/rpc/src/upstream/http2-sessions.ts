import type { ClientHttp2Stream, Http2Session } from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import { createNodeHttpClient, Http2SessionManager } from "@connectrpc/connect-node";
import { keepAliveMsMax } from "@rialto/http";
import { upstreamSessionsMax } from "../limits.ts";
import type { ByteRequest, ByteResponse } from "../wire/http-message.ts";
import { BrokenAnswer, LostWithSession, StreamRefused } from "./response-failure.ts";

/** Sends requests over HTTP/2 to one address. */
export interface Http2Sessions {
  /**
   * Rejects with `BrokenAnswer` where the stream of this request broke and its connection lives on, with `StreamRefused` where the server did nothing
   * for it, and with `LostWithSession` where the connection was lost; with anything else where there was none.
   */
  fetch(request: ByteRequest): Promise<ByteResponse>;
  close(): void;
}

/** How often a quiet connection with calls at work is asked whether it lives, and how long it may take to answer. */
const pingMs = 10_000;
const pingAnswerMsMax = 5_000;

interface Lane {
  readonly manager: Http2SessionManager;
  /** The one that its last request took. */
  session: Http2Session | undefined;
  open: number;
}

/**
 * Makes them: several connections, of which each request takes the one with the fewest at work, so that what ends one of them ends a part of the calls
 * only. None connects before its first request.
 */
export function createHttp2Sessions(url: string): Http2Sessions {
  const lanes = Array.from(
    { length: upstreamSessionsMax },
    (): Lane => ({ manager: managerOf(url), session: undefined, open: 0 }),
  );
  const lost: Lost = { gone: new WeakSet(), counted: new WeakSet() };
  return {
    async fetch(request) {
      const lane = lanes.reduce((least, other) => (other.open < least.open ? other : least));
      const call: Call = { session: undefined, fault: undefined, ended: Promise.withResolvers() };
      const classified = (error: unknown) => classify(error, call, request.signal, lost);
      try {
        // Nobody else notices a stream that its server closes without a word.
        const response = await Promise.race([send(lane, call, lost)(request), call.ended.promise]);
        return { ...response, body: classifying(response.body, classified) };
      } catch (error) {
        throw await classified(error);
      }
    },
    close: () => {
      for (const { manager } of lanes) manager.abort();
    },
  };
}

/** What is known of a request once it has a stream. */
interface Call {
  session: Http2Session | undefined;
  /** What its stream ended with, where that is its own fault and not its connection's. */
  fault: "refused" | "broken" | undefined;
  /** Rejects when its stream closes before there is an answer. */
  readonly ended: PromiseWithResolvers<never>;
}

function managerOf(url: string): Http2SessionManager {
  return new Http2SessionManager(url, {
    pingIntervalMs: pingMs,
    pingTimeoutMs: pingAnswerMsMax,
    // A little less than servers wait, so that we are the one who gives up an idle connection.
    idleConnectionTimeoutMs: keepAliveMsMax - pingMs,
  });
}

/** Connections that are no more, and of them those whose loss was told. */
interface Lost {
  readonly gone: WeakSet<Http2Session>;
  readonly counted: WeakSet<Http2Session>;
}

function send(lane: Lane, call: Call, lost: Lost) {
  const { manager } = lane;
  const sessionProvider = () => ({
    authority: manager.authority,
    async request(...args: Parameters<Http2SessionManager["request"]>) {
      lane.open += 1;
      const leave = () => {
        lane.open -= 1;
      };
      try {
        const stream = await manager.request(...args);
        stream.once("close", leave);
        const { session } = stream;
        if (lane.session !== session && session !== undefined) watch(session, lost.gone);
        lane.session = session;
        call.session = session;
        watchStream(stream, call, lost);
        return stream;
      } catch (error) {
        leave();
        throw error;
      }
    },
    notifyResponseByteRead: (stream: ClientHttp2Stream) => manager.notifyResponseByteRead(stream),
  });
  return createNodeHttpClient({ httpVersion: "2", sessionProvider });
}

function watchStream(stream: ClientHttp2Stream, call: Call, { counted }: Lost): void {
  call.ended.promise.catch(() => undefined);
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_HTTP2_STREAM_ERROR") return;
    call.fault = stream.rstCode === refusedStream ? "refused" : "broken";
    // Where it takes the connection along, that is no failure of the replica.
    if (call.session !== undefined) counted.add(call.session);
  });
  let isAnswered = false;
  stream.once("response", () => {
    isAnswered = true;
  });
  stream.once("close", () => {
    if (!isAnswered)
      call.ended.reject(new Error(`the stream was closed without an answer, with code ${stream.rstCode}`));
  });
}

function watch(session: Http2Session, gone: WeakSet<Http2Session>): void {
  // The manager listens only as long as it uses the connection: an error after that would end the process.
  session.on("error", () => undefined);
  session.once("close", () => gone.add(session));
}

async function* classifying(
  body: AsyncIterable<Uint8Array>,
  classified: (error: unknown) => Promise<unknown>,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    throw await classified(error);
  }
}

async function classify(
  error: unknown,
  { session, fault }: Call,
  signal: AbortSignal | undefined,
  { gone, counted }: Lost,
): Promise<unknown> {
  // What the caller broke off, and what never had a stream, is told by the error itself.
  if (signal?.aborted === true || session === undefined) return error;
  if (fault === "refused") return new StreamRefused(error);
  if (fault === "broken") return new BrokenAnswer(error);
  // A connection that ends ends its streams first.
  await turn();
  if (!session.destroyed && !session.closed && !gone.has(session)) return new BrokenAnswer(error);
  const isFirst = !counted.has(session);
  counted.add(session);
  return new LostWithSession(isFirst, error);
}

/** HTTP/2's word for a request that was not looked at, so that it may be sent again: RFC 9113, section 8.7. */
const refusedStream = 0x7;
