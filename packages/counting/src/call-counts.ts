import { createHook } from "node:async_hooks";
import { Socket } from "node:net";

/** What a call makes. None of it depends on how fast or how busy the machine is. */
export interface CallCounts {
  /** Timers: `setTimeout`, `setInterval`, and those that Node makes for itself, as of a connection that is idle. */
  readonly timers: number;
  /** Signals that can be aborted: by a controller, a timeout, or made from others. */
  readonly signals: number;
  /** Web `Headers`. */
  readonly headers: number;
  readonly promises: number;
  /** Signatures made and signatures verified. */
  readonly signatures: number;
  readonly verifications: number;
  /** Writes to sockets; none of HTTP/2's, which writes past JavaScript. */
  readonly writes: number;
}

const warmUpCalls = 50;
const countedCalls = 200;

/**
 * Makes many calls, one after the other, on a path that earlier calls have warmed up, and returns what one of them
 * makes, rounded down. So what happens once a second, once a connection, or in a call that is sent a second time on a
 * busy machine does not count: it would have to happen in every call.
 *
 * `writesOf` chooses the sockets whose writes count; it is all of them where it is not given.
 */
export async function countPerCall(
  call: () => Promise<unknown>,
  o: { readonly writesOf?: (socket: Socket) => boolean } = {},
): Promise<CallCounts> {
  for (let n = 0; n < warmUpCalls; n += 1) await call();
  const counter = startCounting(o.writesOf ?? (() => true));
  try {
    for (let n = 0; n < countedCalls; n += 1) await call();
  } finally {
    counter.stop();
  }
  const { timers, signals, headers, promises, signatures, verifications, writes } = counter.counts;
  const perCall = (count: number) => Math.floor(count / countedCalls);
  return {
    timers: perCall(timers),
    signals: perCall(signals),
    headers: perCall(headers),
    promises: perCall(promises),
    signatures: perCall(signatures),
    verifications: perCall(verifications),
    writes: perCall(writes),
  };
}

/** Returns what is above its bound, by kind: nothing, unless a call makes more than it did when the bound was set. */
export function aboveBounds(counts: CallCounts, bounds: CallCounts): Partial<CallCounts> {
  // The entries of both are those of CallCounts.
  return Object.fromEntries(Object.entries(counts).filter(([kind, count]) => count > bounds[kind as keyof CallCounts]));
}

/** Prints what a call makes, for whoever wants to know by how much a bound could be lowered. */
export function printCounts(name: string, counts: CallCounts): void {
  const figures = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`);
  process.stdout.write(`per call, ${name}: ${figures.join(", ")}\n`);
}

function startCounting(writesOf: (socket: Socket) => boolean) {
  const counts = { timers: 0, signals: 0, headers: 0, promises: 0, signatures: 0, verifications: 0, writes: 0 };
  const add = (kind: keyof CallCounts) => () => {
    counts[kind] += 1;
  };
  const hook = createHook({
    init(_id, type) {
      if (type === "Timeout") counts.timers += 1;
      else if (type === "PROMISE") counts.promises += 1;
    },
  });
  const restore = [
    counted(globalThis, "Headers", add("headers")),
    counted(globalThis, "AbortController", add("signals")),
    ...(["timeout", "any", "abort"] as const).map((name) => counted(AbortSignal, name, add("signals"))),
    counted(crypto.subtle, "sign", add("signatures")),
    counted(crypto.subtle, "verify", add("verifications")),
    ...(["_write", "_writev"] as const).map((name) =>
      counted(Socket.prototype, name, (socket) => {
        if (socket instanceof Socket && writesOf(socket)) counts.writes += 1;
      }),
    ),
  ];
  hook.enable();
  return {
    counts,
    stop() {
      hook.disable();
      for (const undo of restore) undo();
    },
  };
}

/** Has `note` called at each call and construction of a property, until the returned function is called. */
function counted<T extends object, K extends keyof T>(owner: T, name: K, note: (self: unknown) => void): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  // Every property that is counted is a function or a class.
  const target = owner[name] as object;
  const value = new Proxy(target, {
    apply(called, self, args) {
      note(self);
      return Reflect.apply(called as () => unknown, self, args);
    },
    construct(constructed, args, newTarget) {
      note(undefined);
      return Reflect.construct(constructed as new () => object, args, newTarget);
    },
  });
  Object.defineProperty(owner, name, { value, writable: true, configurable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, before);
  };
}
