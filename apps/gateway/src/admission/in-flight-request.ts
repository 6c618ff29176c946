import { type Bulkhead, type Holder, LazySignal, type SharedPlaces } from "@rialto/async";
import { arrivedBody, type BodyPace, type HeldRequest, type Received, receiveBody } from "@rialto/http";
import { CallError, type Caller, callErrors } from "@rialto/rpc";
import { bodyTooLarge } from "../exchange/body.ts";
import type { Exchange } from "../exchange/exchange.ts";

/** How long a call may wait for its service. */
const waitingMsMax = 5_000;

/**
 * One request. It takes a place among the requests in flight when its body is complete, and releases it when its
 * response is sent.
 */
export interface InFlightRequest {
  /** Notes the caller. Throws TEMPORARILY_UNAVAILABLE if no place is free for it, or load is shed. */
  identified(caller: Caller): void;
  /**
   * Receives the whole body, then takes a place: among the streams to its service, or among the requests in flight. Of
   * those, `callsPerServiceMax` are forwarded to one service; more wait here, in a fair queue of addresses. Throws or
   * rejects for a body that is too large, too slow, or has no room in memory. Returns at once where nothing has to be
   * waited for. A body that came with its head is here once promises have settled: call it after an `await`.
   */
  receive(bytesMax: number, to: ReceiveFor): Uint8Array | Promise<Uint8Array>;
  /** Counts the request as a stream from now on. A stream costs little and may last for minutes. */
  stream(streamsTo: string): void;
  /**
   * Releases the place before the response is sent. For pages and errors: while their client reads, they hold nothing
   * that others need.
   */
  answered(): void;
}

/** Where a request goes. */
export interface ReceiveFor {
  readonly service: string;
  readonly isStream: boolean;
}

/** What all requests share. */
export interface Capacity {
  /** Places among the requests in flight. */
  readonly places: SharedPlaces;
  /** How many of them there are for an admin. */
  readonly adminMax: number;
  /** The calls in flight to one service. */
  callsTo(service: string): Bulkhead;
  /** Takes a place among the streams. Throws if there is none, or the caller has as many as it may have. */
  acquireStream(service: string, holder: Holder): () => void;
  /** Whether requests of this client are refused, as the event loop is late. */
  sheds(client: string): boolean;
  /** Counts a request of a client that is not counted by address. */
  countAccount(account: string): void;
  readonly bodyPace: BodyPace;
}

/** Each request has one, and its methods are those of a class: an object with functions of its own costs more. */
export class TrackedRequest implements InFlightRequest {
  readonly #capacity: Capacity;
  readonly #exchange: Exchange;
  /** Undefined where it is not counted. */
  readonly #address: string | undefined;
  readonly #held: HeldRequest;
  readonly #evicted: LazySignal;
  readonly #ended = new LazySignal();
  #holder: Holder;
  #isAdmin = false;
  #releasePlace: (() => void) | undefined;
  #releaseCall: (() => void) | undefined;

  /** `evicted` aborts when the request loses the memory that it holds to others. */
  constructor(
    capacity: Capacity,
    exchange: Exchange,
    o: { readonly address: string | undefined; readonly held: HeldRequest; readonly evicted: LazySignal },
  ) {
    this.#capacity = capacity;
    this.#exchange = exchange;
    this.#address = o.address;
    this.#held = o.held;
    this.#evicted = o.evicted;
    this.#holder = { address: o.address, account: undefined };
    exchange.onClose(() => this.answered());
  }

  answered(): void {
    this.#ended.abort(undefined);
    this.#held.release();
    this.#release();
  }

  identified(caller: Caller): void {
    const { places, sheds, countAccount } = this.#capacity;
    if (caller.kind === "user") {
      this.#holder = { address: this.#address, account: caller.userId };
      this.#isAdmin = caller.role === "ADMIN";
      if (!this.#held.assignTo(caller.userId)) throw tooBusy();
      if (this.#address === undefined) countAccount(caller.userId);
    }
    if (this.#isAdmin) return;
    const { account } = this.#holder;
    if (sheds(this.#address ?? account ?? "") || !places.isFreeFor(this.#holder)) throw tooBusy();
  }

  receive(bytesMax: number, to: ReceiveFor): Uint8Array | Promise<Uint8Array> {
    const arrived = this.#arrived(bytesMax);
    if (arrived !== undefined) return this.#placed(this.#bytesOf(arrived, bytesMax), to);
    return this.#receiveBody(bytesMax).then((received) => this.#placed(this.#bytesOf(received, bytesMax), to));
  }

  stream(service: string): void {
    const acquired = this.#capacity.acquireStream(service, this.#holder);
    this.#held.release();
    this.#release();
    this.#keep(acquired, undefined);
  }

  /** Takes the place of a request whose body is here, and returns the body. */
  #placed(bytes: Uint8Array, { service, isStream }: ReceiveFor): Uint8Array | Promise<Uint8Array> {
    if (isStream) {
      this.stream(service);
      return bytes;
    }
    if (this.#ended.aborted) throw tooBusy();
    this.#keep(this.#acquire(), undefined);
    const calls = this.#capacity.callsTo(service);
    const releaseCall = calls.tryAcquire();
    if (releaseCall === undefined) return this.#placedLater(bytes, calls);
    this.#keep(this.#releasePlace, releaseCall);
    return bytes;
  }

  async #placedLater(bytes: Uint8Array, calls: Bulkhead): Promise<Uint8Array> {
    this.#keep(this.#releasePlace, await this.#waitFor(calls));
    return bytes;
  }

  #acquire(): () => void {
    const { places, adminMax } = this.#capacity;
    const acquired = this.#isAdmin ? places.acquireUpTo(adminMax, this.#holder) : places.acquire(this.#holder);
    if (acquired === undefined) throw tooBusy();
    return acquired;
  }

  async #waitFor(calls: Bulkhead): Promise<() => void> {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(waitingMsMax)]);
    try {
      return await calls.acquire({ signal, party: this.#address ?? this.#holder.account });
    } catch {
      throw tooBusy();
    }
  }

  /**
   * Keeps a place until the request ends. If it has ended already, by its deadline or its client, the place is released
   * at once.
   */
  #keep(place: (() => void) | undefined, call: (() => void) | undefined): void {
    this.#releasePlace = place;
    this.#releaseCall = call;
    if (this.#ended.aborted) this.#release();
  }

  /** Releases what is held, once: a request whose error is answered ends a second time when its response is sent. */
  #release(): void {
    const [releasePlace, releaseCall] = [this.#releasePlace, this.#releaseCall];
    this.#releasePlace = undefined;
    this.#releaseCall = undefined;
    releasePlace?.();
    releaseCall?.();
  }

  /** Returns the body where it came with its head, as most do. */
  #arrived(bytesMax: number): Received | undefined {
    if (this.#exchange.isGone) return { kind: "gone" };
    const bytes = arrivedBody(this.#exchange.request);
    if (bytes === undefined) return undefined;
    if (bytes.byteLength > bytesMax) return { kind: "too-large" };
    if (!this.#held.grow(bytes.byteLength)) return { kind: "no-memory" };
    this.#held.complete();
    return { kind: "whole", bytes };
  }

  #receiveBody(bytesMax: number): Promise<Received> {
    const { request, signal } = this.#exchange;
    const pace = this.#capacity.bodyPace;
    return receiveBody(request, { bytesMax, pace, held: this.#held, gone: signal, evicted: this.#evicted.signal });
  }

  #bytesOf(received: Received, bytesMax: number): Uint8Array {
    if (received.kind === "whole") return received.bytes;
    this.#held.release();
    throw errorOf(received.kind, bytesMax);
  }
}

function errorOf(kind: Exclude<Received["kind"], "whole">, bytesMax: number): CallError {
  switch (kind) {
    case "too-large":
      return bodyTooLarge(bytesMax);
    case "too-slow":
      return new CallError(callErrors.DEADLINE_PASSED, {
        message: "The body arrived too slowly.",
        http: { status: 408, headers: { connection: "close" } },
      });
    case "no-memory":
      return new CallError(callErrors.TEMPORARILY_UNAVAILABLE, {
        message: "Too busy for now: incomplete requests hold too much memory.",
        http: { headers: { "retry-after": "1", connection: "close" } },
      });
    case "gone":
      // The client is gone: the error is not sent.
      return tooBusy();
  }
}

/** A request has no place, because of the load and not because a service is down. */
export class TooBusy extends CallError {
  constructor() {
    super(callErrors.TEMPORARILY_UNAVAILABLE, {
      message: "Too busy for now.",
      http: { headers: { "retry-after": "1" } },
    });
  }
}

/** Makes the error for a request that has no place. */
export function tooBusy(): TooBusy {
  return new TooBusy();
}
