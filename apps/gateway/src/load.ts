import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Caller, callErrors, limitKeyOf } from "@rialto/rpc";
import type { Exchange } from "./exchange.ts";
import { refused } from "./refused.ts";

/** Share of the capacity that is kept for admins when everybody else is turned away. */
const adminReserve = 0.1;
/** How often the delay of the event loop is looked at, and how finely it is measured. */
const lookMs = 1_000;
const resolutionMs = 20;
/** The event loop is this late on average: what comes now would wait longer than it is worth. Health is answered all the same. */
const delayMsMax = 400;
/** Streams that one caller may have open at once, where nothing else is said. */
const streamsPerCallerMaxDefault = 50;

/** How much is at work, and who is turned away when it is too much. */
export interface Load {
  /** Counts a request until its answer is taken. Refused at once where not even an admin would be let in: nothing was looked at yet. */
  begin(exchange: Exchange): Work;
  close(): void;
}

/** One request at work. */
export interface Work {
  /** Asked once it is known who calls: above its capacity the gateway takes admins only. */
  admit(caller: Caller): void;
  /** From here on it is a stream, which costs little and may last for minutes: it counts among its caller's streams instead. */
  stream(caller: Caller): void;
  /** It is answered by what is at hand anyway, a page or a refusal: what its client does not take yet holds nothing that others need. */
  answered(): void;
}

/**
 * Sheds load early, by the requests at work and by the delay of the event loop: a refusal that costs nothing now is better than an answer that comes
 * too late for everybody.
 */
export function createLoad(o: {
  readonly inFlightMax: number;
  readonly streamsPerCallerMax?: number | undefined;
  readonly eventLoopDelayMs?: () => number;
}): Load {
  const { streamsPerCallerMax = streamsPerCallerMaxDefault } = o;
  const meter =
    o.eventLoopDelayMs === undefined ? startMeter() : { delayMs: o.eventLoopDelayMs, stop: () => undefined };
  const streams = new Map<string, number>();
  let inFlight = 0;
  const isBehind = () => meter.delayMs() > delayMsMax;

  return {
    begin({ response, clientAddress }) {
      // Late by twice as much, or full to the last place: not even the token is looked at.
      if (inFlight >= o.inFlightMax * (1 + adminReserve) || meter.delayMs() > 2 * delayMsMax) throw tooBusy();
      inFlight += 1;
      let isCounted = true;
      const leave = () => {
        if (isCounted) inFlight -= 1;
        isCounted = false;
      };
      response.once("close", leave);
      return {
        answered: leave,
        admit(caller) {
          if (caller.kind === "user" && caller.role === "ADMIN") return;
          if (inFlight > o.inFlightMax || isBehind()) throw tooBusy();
        },
        stream(caller) {
          const key = caller.kind === "user" ? caller.userId : limitKeyOf(clientAddress);
          const open = streams.get(key) ?? 0;
          if (open >= streamsPerCallerMax)
            throw refused(callErrors.RATE_LIMITED, {
              message: `One caller may have ${streamsPerCallerMax} streams open at once.`,
              headers: { "retry-after": "1" },
            });
          streams.set(key, open + 1);
          leave();
          response.once("close", () => {
            const left = (streams.get(key) ?? 1) - 1;
            if (left === 0) streams.delete(key);
            else streams.set(key, left);
          });
        },
      };
    },
    close: () => meter.stop(),
  };
}

function tooBusy() {
  return refused(callErrors.TEMPORARILY_UNAVAILABLE, { message: "Too busy for now.", headers: { "retry-after": "1" } });
}

function startMeter(): { delayMs(): number; stop(): void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let delayMs = 0;
  const timer = setInterval(() => {
    // Without a sample in a whole second the loop stood still for as long.
    delayMs = histogram.count === 0 ? lookMs : Math.max(0, histogram.mean / 1e6 - resolutionMs);
    histogram.reset();
  }, lookMs);
  timer.unref();
  return {
    delayMs: () => delayMs,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
