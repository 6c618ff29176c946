import {
  type Bulkhead,
  createBulkhead,
  createSharedPlaces,
  type Holder,
  LazySignal,
  type SharedPlaces,
} from "@rialto/async";
import { type BodyPace, createRequestMemory, limitKeyOf, requestBytesMin } from "@rialto/http";
import { bodyPaceMin, CallError, callErrors, upstreamStreamsMax } from "@rialto/rpc";
import type { Exchange } from "../exchange/exchange.ts";
import { createPressureGauge } from "./event-loop-pressure.ts";
import { type Capacity, type InFlightRequest, TrackedRequest, tooBusy } from "./in-flight-request.ts";

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
    const known = calls.get(service);
    if (known !== undefined) return known;
    // A call that waits has a place among those in flight, so no more wait than there are places.
    const made = createBulkhead({ max: callsPerServiceMax, waitingMax: 2 * o.inFlightMax });
    calls.set(service, made);
    return made;
  };
  const ofCallers = new Map<string, number>();

  /** Takes a place among the streams for its caller, and returns the function that releases it. */
  function acquireStream(service: string, holder: Holder): () => void {
    const release = streamsTo(service).acquire(holder);
    if (release === undefined) throw tooBusy();
    const key = holder.account ?? holder.address;
    if (key === undefined) return release;
    const open = ofCallers.get(key) ?? 0;
    if (open >= streamsPerCallerMax) {
      release();
      throw new CallError(callErrors.RATE_LIMITED, {
        message: `One caller may have ${streamsPerCallerMax} streams open at once.`,
        http: { headers: { "retry-after": "1" } },
      });
    }
    ofCallers.set(key, open + 1);
    return () => {
      release();
      const left = (ofCallers.get(key) ?? 1) - 1;
      if (left === 0) ofCallers.delete(key);
      else ofCallers.set(key, left);
    };
  }

  const capacity: Capacity = {
    places,
    adminMax: o.inFlightMax * (1 + adminReserve),
    callsTo,
    acquireStream,
    sheds: gauge.sheds,
    countAccount: gauge.count,
    bodyPace,
  };
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
      return new TrackedRequest(capacity, exchange, { address, held, evicted });
    },
    close: () => gauge.close(),
  };
}
