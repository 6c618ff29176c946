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

/** How the bodies of requests to a service may arrive. */
export interface BodyOptions {
  readonly pace?: BodyPace;
  /** What all unfinished requests together may hold. */
  readonly bytesMax?: number;
}

const unbounded = Number.POSITIVE_INFINITY;

/** Makes a request receive its body within bounds, when it is first asked for: what is refused by its head never is. */
export type Receive = (req: IncomingMessage, request: HttpRequest) => HttpRequest;

/**
 * Bounds what unfinished requests hold at a service. One gateway stands for many people there, so neither an address nor an account has a bound of its own:
 * where all hold too much, the address with the most loses its largest unfinished request, and that is none that sends whole bodies.
 */
export function createReceiver({ pace = bodyPaceMin, bytesMax = serviceRequestBytesMax }: BodyOptions): Receive {
  const memory = createRequestMemory({ bytesMax, addressBytesMax: unbounded, callerBytesMax: unbounded });
  return (req, request) => {
    // gRPC's own services answer while they are asked, small messages each.
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

/** As Connect says it, which reads the body: anything else it would take for a defect. */
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
