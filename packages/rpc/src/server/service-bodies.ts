import type { IncomingMessage } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { type CancelSignal, createDeadlineWheel, onAbort } from "@rialto/async";
import type { UnaryCall } from "@rialto/connect";
import {
  type BodyPace,
  createRequestMemory,
  type GiveUp,
  limitKeyOf,
  type Received,
  receiveBody,
  receiveBytes,
} from "@rialto/http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { bodyPaceMin, replayBufferBytesMax, serviceRequestBytesMax } from "../limits.ts";
import { isStandardPath } from "../standard/standard-services.ts";
import { toConnectError } from "../wire/connect-error.ts";
import type { HttpRequest } from "../wire/http-message.ts";

/** Limits of the bodies of requests to a service. */
export interface BodyOptions {
  readonly pace?: BodyPace;
  /** Memory of all incomplete requests together. */
  readonly bytesMax?: number;
}

const unbounded = Number.POSITIVE_INFINITY;

/**
 * Returns the request with a body that is received within the limits when it is first read: never, where the head is
 * refused.
 */
export type Receive = (req: IncomingMessage, request: HttpRequest) => HttpRequest;

/**
 * Receives the body of a unary call of the fast path, until the call is canceled: its deadline passed, or its client is
 * gone. One that has arrived already, with its head, is returned at once: it holds no memory that could be taken from
 * it, and has no pace.
 */
export type ReceiveCall = (call: UnaryCall, bytesMax: number, canceled: CancelSignal) => Received | Promise<Received>;

/** How the bodies of a service are received, by either path, within the same memory. */
export interface Receiver {
  readonly receive: Receive;
  readonly receiveCall: ReceiveCall;
}

/**
 * Bounds the memory of incomplete requests to a service. A gateway sends the requests of many clients, so neither an
 * address nor an account has a bound of its own: above the total, the address with the most loses its largest
 * incomplete request. A gateway, which sends whole bodies, is not affected.
 */
export function createReceiver({ pace = bodyPaceMin, bytesMax = serviceRequestBytesMax }: BodyOptions): Receiver {
  const memory = createRequestMemory({ bytesMax, addressBytesMax: unbounded, callerBytesMax: unbounded });
  const wheel = createDeadlineWheel();
  const receive: Receive = (req, request) => {
    // gRPC's own services read and write at the same time, small messages each.
    if (request.body === undefined || isStandardPath(new URL(request.url).pathname)) return request;
    async function* body(): AsyncGenerator<Uint8Array, void> {
      const evicted = new AbortController();
      const address = limitKeyOf(req.socket.remoteAddress ?? "unknown");
      const held = memory.open({ address, account: undefined }, () => evicted.abort());
      if (held === undefined) throw connectErrorFor("no-memory");
      try {
        const received = await receiveBody(req, {
          bytesMax: replayBufferBytesMax,
          pace,
          held,
          gone: request.signal ?? new AbortController().signal,
          evicted: evicted.signal,
        });
        if (received.kind !== "whole") throw connectErrorFor(received.kind);
        if (received.bytes.byteLength > 0) yield received.bytes;
      } finally {
        held.release();
      }
    }
    return { ...request, body: body() };
  };
  const receiveCall: ReceiveCall = ({ exchange }, callBytesMax, canceled) => {
    const arrived = exchange.arrived();
    if (arrived !== undefined)
      return arrived.byteLength > callBytesMax ? { kind: "too-large" } : { kind: "whole", bytes: arrived };
    return receiveArriving(exchange, callBytesMax, canceled);
  };
  const receiveArriving = async (
    exchange: UnaryCall["exchange"],
    callBytesMax: number,
    canceled: CancelSignal,
  ): Promise<Received> => {
    let onEvicted: (() => void) | undefined;
    let isEvicted = false;
    const address = limitKeyOf(exchange.remoteAddress() ?? "unknown");
    const held = memory.open({ address, account: undefined }, () => {
      isEvicted = true;
      onEvicted?.();
    });
    if (held === undefined) return { kind: "no-memory" };
    const watch = (giveUp: GiveUp) => {
      onEvicted = () => giveUp("no-memory");
      if (exchange.isOver()) giveUp("gone");
      else if (isEvicted) giveUp("no-memory");
      return onAbort(canceled, () => giveUp("gone"));
    };
    const { body, headers } = exchange;
    try {
      const bounds = { bytesMax: callBytesMax, pace, held, watch, after: wheel.add };
      return await receiveBytes(body, headers["content-length"], bounds);
    } finally {
      held.release();
    }
  };
  return { receive, receiveCall };
}

/** The error as a ConnectError: Connect reads the body, and would take any other error for a defect. */
function connectErrorFor(kind: Exclude<Received["kind"], "whole">): ConnectError {
  return toConnectError(bodyError(kind));
}

/** The error of a call whose body was not received. */
export function bodyError(kind: Exclude<Received["kind"], "whole">): CallError {
  switch (kind) {
    case "too-large": {
      const message = `The body is larger than ${replayBufferBytesMax} bytes.`;
      return new CallError(callErrors.INVALID_REQUEST, { message });
    }
    case "too-slow":
      return new CallError(callErrors.DEADLINE_PASSED, { message: "The body arrived too slowly." });
    case "no-memory":
    case "gone":
      return new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
  }
}
