import {
  type BodyPace,
  bodyPaceMin,
  type Caller,
  callErrors,
  createRequestMemory,
  createRoom,
  createSharedPlaces,
  type HeldRequest,
  type Holder,
  limitKeyOf,
  type Received,
  type Room,
  receiveBody,
  requestBytesMin,
  type SharedPlaces,
  upstreamStreamsMax,
} from "@rialto/rpc";
import { refused } from "../errors/refused.ts";
import { bodyTooLarge } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { createPressureGauge } from "./event-loop-pressure.ts";

/** Share of the capacity that is kept for admins when everybody else is turned away. */
const adminReserve = 0.1;
/** Streams that one caller may have open at once, where nothing else is said. */
const streamsPerCallerMaxDefault = 50;
/**
 * Unary calls that one service has at once from this gateway. What a service is given it works on side by side, in no order of callers, so a call takes as long as
 * all of them together: few enough that this is a fraction of a second, and more than it takes to keep a service busy.
 */
const callsPerServiceMaxDefault = 64;
/** How long a call may wait for that. */
const waitingMsMax = 5_000;
/** Memory of requests, for each place among those at work; and at least, so that a small gateway takes the largest body too. */
const bytesPerPlace = 16 * requestBytesMin;
const bytesMin = 32 * 1024 * 1024;
/** The part of it that one address may have, and one caller: enough for a place in all of them where bodies are small. */
const addressPart = 1 / 4;
const callerPart = 1 / 16;

/** How much is at work, and who is turned away when it is too much. */
export interface Load {
  /** Asked first of each request, by its address alone: true where the address holds too much, or asks too much while the event loop is late. */
  refuses(clientAddress: string): boolean;
  /** Counts a request from its head on. */
  begin(exchange: Exchange): Work;
  close(): void;
}

/** One request. It takes a place among those at work when its body is whole, and holds it until its answer is taken. */
export interface Work {
  /** Asked once it is known who calls: refused early where there is no place for this caller. */
  identified(caller: Caller): void;
  /**
   * Receives the whole body, of so many bytes at the most, then takes a place: of the streams to its service where it is one, else among the requests at
   * work, of which a few at once are passed on to each service. Others wait here, and their addresses take turns.
   */
  receive(bytesMax: number, to: { readonly service: string; readonly isStream: boolean }): Promise<Uint8Array>;
  /** From here on it is a stream, which costs little and may last for minutes: it counts among the streams instead. */
  stream(streamsTo: string): void;
  /** It is answered by what is at hand anyway, a page or a refusal: what its client does not take yet holds nothing that others need. */
  answered(): void;
}

export interface LoadOptions {
  readonly inFlightMax: number;
  readonly streamsPerCallerMax?: number | undefined;
  /** Streams to one service, or to gRPC's own where it is "grpc". */
  readonly streamsMaxOf?: (service: string) => number;
  readonly callsPerServiceMax?: number;
  /** Whether callers at an address are counted by account only. */
  readonly isBackend?: (address: string) => boolean;
  readonly bodyPace?: BodyPace;
  readonly eventLoopDelayMs?: () => number;
}

/**
 * Sheds load early, by the requests at work, by what unfinished ones hold and by the delay of the event loop: a refusal that costs nothing now is better than
 * an answer that comes too late for everybody. Who is refused first is the same everywhere: the address with the most, then its account with the most.
 */
export function createLoad(o: LoadOptions): Load {
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
  const calls = new Map<string, Room>();
  const callsTo = (service: string) => {
    // Whoever waits has a place already: there are never more than places.
    const known = calls.get(service) ?? createRoom({ max: callsPerServiceMax, waitingMax: 2 * o.inFlightMax });
    calls.set(service, known);
    return known;
  };
  const ofCallers = new Map<string, number>();

  /** Counts a stream among its caller's; undefined where the caller has as many as it may have. */
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
      return gauge.sheds(address) || !memory.hasRoomFor(address);
    },
    begin({ request, response, clientAddress, signal }) {
      const address = isBackend(clientAddress) ? undefined : limitKeyOf(clientAddress);
      const givenUp = new AbortController();
      const held = memory.open({ address, account: undefined }, () => givenUp.abort());
      if (held === undefined) throw tooBusy();

      let holder: Holder = { address, account: undefined };
      let isAdmin = false;
      let release: () => void = () => undefined;
      const over = new AbortController();
      const leave = () => {
        over.abort();
        held.release();
        release();
      };
      response.once("close", leave);

      /** A place that is taken when the request is over already, by its deadline or its client, is given back at once. */
      const keep = (taken: () => void) => {
        release = taken;
        if (over.signal.aborted) taken();
      };
      const acquire = () => {
        const taken = isAdmin ? places.acquireUpTo(o.inFlightMax * (1 + adminReserve), holder) : places.acquire(holder);
        if (taken === undefined) throw tooBusy();
        keep(taken);
        return taken;
      };
      const openStream = (service: string) => {
        const taken = acquireStream(service, holder);
        if (taken === undefined)
          throw refused(callErrors.RATE_LIMITED, {
            message: `One caller may have ${streamsPerCallerMax} streams open at once.`,
            headers: { "retry-after": "1" },
          });
        held.release();
        release();
        keep(taken);
      };
      return {
        answered: leave,
        identified(caller) {
          if (caller.kind === "user") {
            holder = { address, account: caller.userId };
            isAdmin = caller.role === "ADMIN";
            if (!held.isOf(caller.userId)) throw tooBusy();
            if (address === undefined) gauge.count(caller.userId);
          }
          if (isAdmin) return;
          if (gauge.sheds(address ?? holder.account ?? "") || !places.isFreeFor(holder)) throw tooBusy();
        },
        async receive(bytesMax, { service, isStream }) {
          const options = { bytesMax, pace: bodyPace, held, gone: signal, givenUp: givenUp.signal };
          const bytes = bytesOf(await receiveBody(request, options), held, bytesMax);
          if (isStream) {
            openStream(service);
            return bytes;
          }
          const giveBack = acquire();
          const end = await callsTo(service)
            .enter(AbortSignal.any([over.signal, AbortSignal.timeout(waitingMsMax)]), address ?? holder.account)
            .catch(() => {
              throw tooBusy();
            });
          keep(() => {
            giveBack();
            end();
          });
          return bytes;
        },
        stream: openStream,
      };
    },
    close: () => gauge.close(),
  };
}

function bytesOf(received: Received, held: HeldRequest, bytesMax: number): Uint8Array {
  if (received.kind !== "whole") held.release();
  switch (received.kind) {
    case "whole":
      return received.bytes;
    case "too-large":
      throw bodyTooLarge(bytesMax);
    case "too-slow":
      throw refused(callErrors.DEADLINE_PASSED, {
        message: "The body arrived too slowly.",
        httpStatus: 408,
        headers: { connection: "close" },
      });
    case "no-room":
      throw refused(callErrors.TEMPORARILY_UNAVAILABLE, {
        message: "Too busy for now: unfinished requests hold too much.",
        headers: { "retry-after": "1", connection: "close" },
      });
    case "gone":
      // Nobody reads it.
      throw tooBusy();
  }
}

function tooBusy() {
  return refused(callErrors.TEMPORARILY_UNAVAILABLE, { message: "Too busy for now.", headers: { "retry-after": "1" } });
}
