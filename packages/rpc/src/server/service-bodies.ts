import type { IncomingMessage } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { type BodyPace, createRequestMemory, limitKeyOf, type Received, receiveBody } from "@rialto/http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { ErrorDefinition } from "../errors/error-table.ts";
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
 * Bounds the memory of incomplete requests to a service. A gateway sends the requests of many clients, so neither an
 * address nor an account has a bound of its own: above the total, the address with the most loses its largest
 * incomplete request. A gateway, which sends whole bodies, is not affected.
 */
export function createReceiver({ pace = bodyPaceMin, bytesMax = serviceRequestBytesMax }: BodyOptions): Receive {
  const memory = createRequestMemory({ bytesMax, addressBytesMax: unbounded, callerBytesMax: unbounded });
  return (req, request) => {
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
}

/** The error as a ConnectError: Connect reads the body, and would take any other error for a defect. */
function connectErrorFor(kind: Exclude<Received["kind"], "whole">): ConnectError {
  const say = (definition: ErrorDefinition, message = definition.message) =>
    toConnectError(new CallError(definition, { message }));
  switch (kind) {
    case "too-large":
      return say(callErrors.INVALID_REQUEST, `The body is larger than ${replayBufferBytesMax} bytes.`);
    case "too-slow":
      return say(callErrors.DEADLINE_PASSED, "The body arrived too slowly.");
    case "no-memory":
    case "gone":
      return say(callErrors.TEMPORARILY_UNAVAILABLE);
  }
}
