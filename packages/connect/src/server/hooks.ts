import type { Answer } from "./exchange.ts";
import type { UnaryCall } from "./unary-call.ts";

/**
 * What the owner of a handler may put into the unary calls of the fast path. Each gets the call, whose headers are read
 * by name (`call.header`) without web headers.
 */
export interface UnaryHooks {
  /** Lets a call in by its head, after `requestGate` and as it does. What it throws is answered; no body is read. */
  readonly admit?: (call: UnaryCall) => void | Promise<void>;
  /**
   * Receives the body as it came, instead of the handler: within a size, a pace, a memory. Not called for a GET. What
   * it throws is answered. A body that came with its head is here already (`call.exchange.arrived()`).
   */
  readonly receive?: (call: UnaryCall) => Uint8Array | Promise<Uint8Array>;
  /**
   * Checks the bytes of the message, decompressed, before they are decoded, and returns those that are. What it throws
   * is answered.
   */
  readonly check?: (call: UnaryCall, message: Uint8Array) => Uint8Array;
  /**
   * Renders what a call ended with, in the protocol of the call, or undefined for the answer of the protocol itself.
   * Also called with `RequestGone` where the client went away, whom no answer reaches.
   */
  readonly renderError?: (call: UnaryCall, thrown: unknown) => Answer | undefined;
}
