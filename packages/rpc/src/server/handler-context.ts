import type { LazySignal } from "@rialto/async";
import type { IdempotencyKey } from "@rialto/database";
import { continueTrace, type Logger, type RecordedSpan, type Trace } from "@rialto/telemetry";
import type { Caller } from "../identity/caller.ts";
import type { Identified } from "../identity/identity.ts";
import type { CallContext } from "./context.ts";
import type { CallClock } from "./deadline.ts";

/**
 * The context of one call, in the pipeline and for its handler. What few calls use is made when it is first read: the
 * AbortSignal, the trace and the logger. They are getters of the class, so a copy by `...` would leave them out.
 */
export class HandlerContext implements CallContext {
  readonly method: string;
  readonly requestId: string;
  readonly now: Date;
  readonly deadline: Date;
  userToken?: string;
  clientAddress?: string;
  idempotencyKey: IdempotencyKey | undefined;
  /** The caller, once it was identified and let in. */
  identified: Caller | undefined;
  /** Its span, where its trace is recorded. */
  readonly span: RecordedSpan | undefined;
  /** The caller's position in its trace. */
  readonly sentTraceparent: string | undefined;
  #trace: Trace | undefined;
  #callLog: Logger | undefined;
  readonly #log: Logger;
  readonly #clock: CallClock;

  constructor(o: {
    readonly method: string;
    readonly requestId: string;
    /** The caller's position in its trace. */
    readonly traceparent: string | undefined;
    readonly span?: RecordedSpan | undefined;
    readonly now: Date;
    readonly clock: CallClock;
    readonly log: Logger;
  }) {
    this.method = o.method;
    this.requestId = o.requestId;
    this.now = o.now;
    this.deadline = o.clock.deadline;
    this.idempotencyKey = undefined;
    this.identified = undefined;
    this.#clock = o.clock;
    this.#log = o.log;
    this.span = o.span;
    this.sentTraceparent = o.traceparent;
  }

  /** Sets what the identification of the caller found. */
  identify(caller: Caller, { userToken, clientAddress }: Identified): void {
    this.identified = caller;
    if (userToken !== undefined) this.userToken = userToken;
    if (clientAddress !== undefined) this.clientAddress = clientAddress;
  }

  get caller(): Caller {
    if (this.identified === undefined) throw new Error("the call was not admitted");
    return this.identified;
  }

  get lazySignal(): LazySignal {
    return this.#clock.canceled;
  }

  get signal(): AbortSignal {
    return this.#clock.signal;
  }

  get trace(): Trace {
    this.#trace ??= this.span ?? continueTrace(this.sentTraceparent);
    return this.#trace;
  }

  get traceparent(): string {
    return this.trace.traceparent;
  }

  get log(): Logger {
    this.#callLog ??= this.#log.child(this.#logFields());
    return this.#callLog;
  }

  #logFields() {
    const { requestId, trace, identified } = this;
    const userId = identified?.kind === "user" ? { userId: identified.userId } : {};
    return { requestId, traceId: trace.traceId, spanId: trace.spanId, ...userId };
  }
}
