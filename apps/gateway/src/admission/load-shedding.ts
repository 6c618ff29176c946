import {
  type Bulkhead,
  createBulkhead,
  createSharedPlaces,
  type Holder,
  LazySignal,
  type SharedPlaces,
} from "@rialto/async";
import {
  arrivedBody,
  type BodyPace,
  createRequestMemory,
  type HeldRequest,
  limitKeyOf,
  type Received,
  receiveBody,
  requestBytesMin,
} from "@rialto/http";
import { bodyPaceMin, CallError, type Caller, callErrors, upstreamStreamsMax } from "@rialto/rpc";
import { bodyTooLarge } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { createPressureGauge } from "./event-loop-pressure.ts";

/** Share of the capacity that is reserved for admins. */
const adminReserve = 0.1;
/** Open streams of one caller. */
const streamsPerCallerMaxDefault = 50;
/**
 * Unary calls in flight to one service. A service works on all of them concurrently, in no order of callers, so one
 * call takes as long as all of them together. 64 is few enough that this stays a fraction of a second, and more than it
 * takes to keep a service busy.
 */
const callsPerServiceMaxDefault = 64;
/** How long a call may wait for its service. */
const waitingMsMax = 5_000;
/**
 * Memory for request bodies: per request in flight, and at least, so that a small gateway accepts the largest body too.
 */
const bytesPerPlace = 16 * requestBytesMin;
const bytesMin = 32 * 1024 * 1024;
/** The part of that memory that one address and one caller may hold. */
const addressPart = 1 / 4;
const callerPart = 1 / 16;

/** Decides which requests are refused under load. */
export interface LoadShedding {
  /**
   * Returns true if requests of this address are refused now: it holds too much memory, or sends too much while the
   * event loop is late. To be called once per request, first.
   */
  refuses(clientAddress: string): boolean;
  /** Tracks a request from its head on. Throws TEMPORARILY_UNAVAILABLE if there is no memory for its body. */
  begin(exchange: Exchange): InFlightRequest;
  close(): void;
}

/**
 * One request. It takes a place among the requests in flight when its body is complete, and releases it when its
 * response is sent.
 */
export interface InFlightRequest {
  /** To be called when the caller is known. Throws TEMPORARILY_UNAVAILABLE if there is no place for this caller. */
  identified(caller: Caller): void;
  /**
   * Receives the whole body, then takes a place: among the streams to its service, or among the requests in flight. Of
   * those, `callsPerServiceMax` are forwarded to one service; more wait here, in a fair queue of addresses. Throws for
   * a body that is too large, too slow, or has no room in memory.
   */
  receive(bytesMax: number, to: { readonly service: string; readonly isStream: boolean }): Promise<Uint8Array>;
  /** Counts the request as a stream from now on. A stream costs little and may last for minutes. */
  stream(streamsTo: string): void;
  /**
   * Releases the place before the response is sent. For pages and errors: while their client reads, they hold nothing
   * that others need.
   */
  answered(): void;
}

export interface LoadSheddingOptions {
  readonly inFlightMax: number;
  readonly streamsPerCallerMax?: number | undefined;
  /** Streams to one service; "grpc" stands for gRPC's own services. */
  readonly streamsMaxOf?: (service: string) => number;
  readonly callsPerServiceMax?: number;
  /** Whether callers at this address are counted by account only. */
  readonly isBackend?: (address: string) => boolean;
  readonly bodyPace?: BodyPace;
  readonly eventLoopDelayMs?: () => number;
}

/**
 * Sheds load by three measures: requests in flight, memory held by incomplete bodies, and event loop delay. Refusing
 * early is cheap; accepting everything would answer everyone too late. The order of refusal is always the same: the
 * address with the most, then its account with the most.
 */
export function createLoadShedding(o: LoadSheddingOptions): LoadShedding {
  const { streamsPerCallerMax = streamsPerCallerMaxDefault, isBackend = () => false, bodyPace = bodyPaceMin } = o;
  const { streamsMaxOf = () => upstreamStreamsMax, callsPerServiceMax = callsPerServiceMaxDefault } = o;
  const gauge = createPressureGauge(o.eventLoopDelayMs);
  const bytesMax = Math.max(bytesMin, o.inFlightMax * bytesPerPlace);
  const memory = createRequestMemory({
    bytesMax,
    addressBytesMax: bytesMax * addressPart,
    callerBytesMax: bytesMax * callerPart,
  });
  const places = createSharedPlaces(() => o.inFlightMax);
  const streams = new Map<string, SharedPlaces>();
  const streamsTo = (service: string) => {
    const known = streams.get(service) ?? createSharedPlaces(() => streamsMaxOf(service));
    streams.set(service, known);
    return known;
  };
  const calls = new Map<string, Bulkhead>();
  const callsTo = (service: string) => {
    // A call that waits has a place among those in flight, so no more wait than there are places.
    const known = calls.get(service) ?? createBulkhead({ max: callsPerServiceMax, waitingMax: 2 * o.inFlightMax });
    calls.set(service, known);
    return known;
  };
  const ofCallers = new Map<string, number>();

  /** Acquires a stream for its caller. Returns undefined if the caller has as many as it may have. */
  function acquireStream(service: string, holder: Holder): (() => void) | undefined {
    const release = streamsTo(service).acquire(holder);
    if (release === undefined) throw tooBusy();
    const key = holder.account ?? holder.address;
    if (key === undefined) return release;
    const open = ofCallers.get(key) ?? 0;
    if (open >= streamsPerCallerMax) {
      release();
      return undefined;
    }
    ofCallers.set(key, open + 1);
    return () => {
      release();
      const left = (ofCallers.get(key) ?? 1) - 1;
      if (left === 0) ofCallers.delete(key);
      else ofCallers.set(key, left);
    };
  }

  return {
    refuses(clientAddress) {
      if (isBackend(clientAddress)) return gauge.sheds("");
      const address = limitKeyOf(clientAddress);
      gauge.count(address);
      return gauge.sheds(address) || !memory.hasMemoryFor(address);
    },
    begin(exchange) {
      const { clientAddress } = exchange;
      const address = isBackend(clientAddress) ? undefined : limitKeyOf(clientAddress);
      const evicted = new LazySignal();
      const held = memory.open({ address, account: undefined }, () => evicted.abort(undefined));
      if (held === undefined) throw tooBusy();

      let holder: Holder = { address, account: undefined };
      let isAdmin = false;
      let release: () => void = () => undefined;
      const ended = new LazySignal();
      const end = () => {
        ended.abort(undefined);
        held.release();
        release();
      };
      exchange.onClose(end);

      /**
       * Keeps a place until the request ends. If it has ended already, by its deadline or its client, the place is
       * released at once.
       */
      const keep = (releasePlace: () => void) => {
        release = releasePlace;
        if (ended.aborted) releasePlace();
      };
      const acquire = () => {
        const acquired = isAdmin
          ? places.acquireUpTo(o.inFlightMax * (1 + adminReserve), holder)
          : places.acquire(holder);
        if (acquired === undefined) throw tooBusy();
        keep(acquired);
        return acquired;
      };
      const openStream = (service: string) => {
        const acquired = acquireStream(service, holder);
        if (acquired === undefined)
          throw new CallError(callErrors.RATE_LIMITED, {
            message: `One caller may have ${streamsPerCallerMax} streams open at once.`,
            http: { headers: { "retry-after": "1" } },
          });
        held.release();
        release();
        keep(acquired);
      };
      return {
        answered: end,
        identified(caller) {
          if (caller.kind === "user") {
            holder = { address, account: caller.userId };
            isAdmin = caller.role === "ADMIN";
            if (!held.assignTo(caller.userId)) throw tooBusy();
            if (address === undefined) gauge.count(caller.userId);
          }
          if (isAdmin) return;
          if (gauge.sheds(address ?? holder.account ?? "") || !places.isFreeFor(holder)) throw tooBusy();
        },
        async receive(bytesMax, { service, isStream }) {
          const bytes = bytesOf(await receive(exchange, held, { bytesMax, pace: bodyPace, evicted }), held, bytesMax);
          if (isStream) {
            openStream(service);
            return bytes;
          }
          if (ended.aborted) throw tooBusy();
          const releasePlace = acquire();
          const calls = callsTo(service);
          const releaseCall =
            calls.tryAcquire() ??
            (await calls
              .acquire({
                signal: AbortSignal.any([ended.signal, AbortSignal.timeout(waitingMsMax)]),
                party: address ?? holder.account,
              })
              .catch(() => {
                throw tooBusy();
              }));
          keep(() => {
            releasePlace();
            releaseCall();
          });
          return bytes;
        },
        stream: openStream,
      };
    },
    close: () => gauge.close(),
  };
}

async function receive(
  exchange: Exchange,
  held: HeldRequest,
  o: { readonly bytesMax: number; readonly pace: BodyPace; readonly evicted: LazySignal },
): Promise<Received> {
  const { request, isGone } = exchange;
  if (isGone) return { kind: "gone" };
  const arrived = arrivedBody(request);
  if (arrived === undefined)
    return receiveBody(request, { ...o, held, gone: exchange.signal, evicted: o.evicted.signal });
  if (arrived.byteLength > o.bytesMax) return { kind: "too-large" };
  if (!held.grow(arrived.byteLength)) return { kind: "no-memory" };
  held.complete();
  return { kind: "whole", bytes: arrived };
}

function bytesOf(received: Received, held: HeldRequest, bytesMax: number): Uint8Array {
  if (received.kind !== "whole") held.release();
  switch (received.kind) {
    case "whole":
      return received.bytes;
    case "too-large":
      throw bodyTooLarge(bytesMax);
    case "too-slow":
      throw new CallError(callErrors.DEADLINE_PASSED, {
        message: "The body arrived too slowly.",
        http: { status: 408, headers: { connection: "close" } },
      });
    case "no-memory":
      throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, {
        message: "Too busy for now: incomplete requests hold too much memory.",
        http: { headers: { "retry-after": "1", connection: "close" } },
      });
    case "gone":
      // The client is gone: the error is not sent.
      throw tooBusy();
  }
}

function tooBusy() {
  return new CallError(callErrors.TEMPORARILY_UNAVAILABLE, {
    message: "Too busy for now.",
    http: { headers: { "retry-after": "1" } },
  });
}
