import { Code, ConnectError } from "@connectrpc/connect";
import type { LazySignal } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { answerMarginMs, silenceMsMin } from "../limits.ts";
import type { CallClock } from "../server/deadline.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { saysItsEnd, saysUnavailable } from "../wire/wire-protocol.ts";
import type { GuardedReplica, Outcome } from "./circuit-breaker.ts";
import type { SentCall } from "./http1-calls.ts";
import type { Channel } from "./replica.ts";
import { readWhole, withBody } from "./request-body.ts";
import { BrokenResponse, RequestBodyAborted } from "./response-failure.ts";
import { NoResponse } from "./retry.ts";
import { WholeBody } from "./whole-body.ts";
import { readableAnswer, type WholeAnswer } from "./whole-call.ts";

/**
 * Sends a request to one replica, once, with the body that was read from it, and counts the result: a lost connection,
 * or no response within the deadline, is a failure of the replica. A request that its caller canceled is not, nor one
 * that its bulkhead rejected.
 */
export function sendOnce(
  guarded: GuardedReplica,
  request: HttpRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome<HttpResponse>> {
  const { calls, streams } = guarded.replica;
  const channel = isStream ? streams : calls;
  return attempt(guarded, channel, clock, async (timeoutMs, release) => {
    const sent = withBody({ ...request, ...ownBody(request), signal: clock.signal }, body);
    const response = await channel.send(sent, timeoutMs);
    noteLeaving(guarded, response.header.get("connection"));
    if (isStream) return responded(guarded, { ...response, body: streamed(response.body, clock, release) });
    const whole = await readResponse(response.body);
    release();
    return responded(guarded, { ...response, body: new WholeBody(whole) });
  });
}

/** Sends a call of which everything is here to one replica, once, and counts the result as `sendOnce` does. */
export function callOnce(guarded: GuardedReplica, call: WholeRequest, clock: CallClock): Promise<Outcome<WholeAnswer>> {
  const sent = callNow(guarded, call, clock);
  if (sent !== undefined) return sent;
  const { calls } = guarded.replica;
  return attempt(guarded, calls, clock, async (timeoutMs, release) => {
    const answer = await new Promise<WholeAnswer>((resolve, reject) => {
      const receiver = { onAnswer: resolve, onFailure: reject };
      calls.sendWhole({ ...call, timeoutMs, canceled: clock.canceled }, receiver);
    });
    return answered(guarded, answer, release);
  });
}

type WholeRequest = Omit<SentCall, "timeoutMs" | "canceled">;

/**
 * The same where the call need not wait, as nearly none has to: its breaker is closed, and its bulkhead has a slot. It
 * makes one promise, where `attempt` makes four. Undefined where it has to wait.
 */
function callNow(
  guarded: GuardedReplica,
  call: WholeRequest,
  clock: CallClock,
): Promise<Outcome<WholeAnswer>> | undefined {
  const { calls } = guarded.replica;
  if (clock.canceled.aborted || guarded.state() !== "closed") return undefined;
  const slot = calls.bulkhead.tryAcquire();
  if (slot === undefined) return undefined;
  const counted = new Attempt(calls.load, clock);
  counted.begin();
  const timeoutMs = counted.send(slot);
  return new Promise((resolve) => {
    const settle = (outcome: Outcome<WholeAnswer>) => resolve(guarded.settle(outcome, counted.isCanceledByCaller));
    const onFailure = (cause: unknown) => settle(counted.fail(cause));
    const onAnswer = (answer: WholeAnswer) => {
      let outcome: Outcome<WholeAnswer>;
      try {
        outcome = answered(guarded, answer, counted.release);
      } catch (cause) {
        return onFailure(cause);
      }
      return settle(outcome);
    };
    calls.sendWhole({ ...call, timeoutMs, canceled: clock.canceled }, { onAnswer, onFailure });
  });
}

/** The outcome of a whole answer. Throws where it is broken. */
function answered(guarded: GuardedReplica, answer: WholeAnswer, release: () => void): Outcome<WholeAnswer> {
  noteLeaving(guarded, answer.fields.connection);
  const readable = readableAnswer(answer);
  if (!saysItsEnd(readable)) throw new BrokenResponse(new Error("a gRPC response without a status"));
  release();
  const isUnavailable = saysUnavailable(readable);
  if (isUnavailable) guarded.reportUnavailable();
  return { kind: "RESPONSE", response: answer, isUnavailable };
}

/** Sends within the bulkhead of a channel, and counts the result. What `send` does not release, a failure does. */
function attempt<Response>(
  guarded: GuardedReplica,
  { bulkhead, load }: Pick<Channel, "bulkhead" | "load">,
  clock: CallClock,
  send: (timeoutMs: number, release: () => void) => Promise<Outcome<Response>>,
): Promise<Outcome<Response>> {
  const counted = new Attempt(load, clock);

  async function sendInTurn(): Promise<Outcome<Response>> {
    if (clock.canceled.aborted) return { kind: "FAILURE", cause: clock.canceled.reason };
    counted.begin();
    try {
      const slot = bulkhead.tryAcquire() ?? (await bulkhead.acquire({ signal: clock.signal }));
      return await send(counted.send(slot), counted.release);
    } catch (cause) {
      return counted.fail(cause);
    }
  }

  return guarded.execute(sendInTurn, counted.isCanceledByCaller);
}

/** One attempt of a call, which counts among the requests to its replica from its beginning to its release. */
class Attempt {
  readonly #load: Channel["load"];
  readonly #clock: CallClock;
  #releaseSlot: (() => void) | undefined;
  #isCounted = false;
  #sentAt: number | undefined;

  constructor(load: Channel["load"], clock: CallClock) {
    this.#load = load;
    this.#clock = clock;
  }

  /** Counts it. */
  begin(): void {
    this.#load.requests += 1;
    this.#isCounted = true;
  }

  /** Notes that it is sent, in this slot, and returns its timeout. */
  send(releaseSlot: () => void): number {
    this.#releaseSlot = releaseSlot;
    this.#sentAt = Date.now();
    return sentTimeoutMs(this.#clock.deadline.getTime() - this.#sentAt);
  }

  readonly release = (): void => {
    this.#releaseSlot?.();
    if (this.#isCounted) this.#load.requests -= 1;
    this.#isCounted = false;
  };

  /** Releases it, and returns its outcome. */
  fail(cause: unknown): Outcome<never> {
    this.release();
    if (!this.#isNoResponse()) return { kind: "FAILURE", cause };
    return { kind: "FAILURE", cause: new NoResponse("no response within the deadline", { cause }) };
  }

  /** A caller that cancels, or has a short deadline, tells nothing about the replica. */
  readonly isCanceledByCaller = (): boolean => this.#clock.canceled.aborted && !this.#isNoResponse();

  /** One that waited long enough does. */
  #isNoResponse(): boolean {
    const sentAt = this.#sentAt;
    return (
      sentAt !== undefined && isDeadline(this.#clock.canceled) && Date.now() - sentAt >= silenceMsMin + answerMarginMs
    );
  }
}

/** A server that is about to stop says so in its responses over HTTP/1.1. */
function noteLeaving({ replica }: GuardedReplica, connection: string | readonly string[] | null | undefined): void {
  if (typeof connection === "string" && connection.toLowerCase() === "close") replica.reportLeaving();
}

function responded(guarded: GuardedReplica, response: HttpResponse): Outcome<HttpResponse> {
  const isUnavailable = saysUnavailable(response);
  if (isUnavailable) guarded.reportUnavailable();
  return { kind: "RESPONSE", response, isUnavailable };
}

/** The body of a request that is streamed. An error of it is marked as the caller's. */
function ownBody({ body }: HttpRequest): Pick<HttpRequest, "body"> {
  if (body === undefined) return {};
  async function* read(of: AsyncIterable<Uint8Array>) {
    try {
      yield* of;
    } catch (cause) {
      throw new RequestBodyAborted(cause);
    }
  }
  return { body: read(body) };
}

/** Reads the whole body of a response. Throws `BrokenResponse` where it is larger than the replay buffer. */
function readResponse(body: HttpResponse["body"]): Promise<Uint8Array> {
  return readWhole(body).catch((error: unknown) => {
    throw isTooLarge(error) ? new BrokenResponse(error) : error;
  });
}

function isTooLarge(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.ResourceExhausted;
}

function isDeadline({ reason }: LazySignal): boolean {
  return reason instanceof CallError && reason.reason === callErrors.DEADLINE_PASSED.reason;
}

/**
 * Returns the timeout that is sent to a replica: a little less than the time that is left, so that a slow replica can
 * respond that the deadline passed and does not count as one that does not respond. Short calls keep their time: they
 * tell nothing about the replica.
 */
function sentTimeoutMs(leftMs: number): number {
  return Math.max(1, Math.min(leftMs, silenceMsMin), leftMs - answerMarginMs);
}

/** A stream that stops its call's clock, and releases its slot, when it is read to its end, abandoned or late. */
function streamed(body: AsyncIterable<Uint8Array>, clock: CallClock, release: () => void): AsyncIterable<Uint8Array> {
  // A stream that is never read ends with its caller's signal.
  clock.signal.addEventListener("abort", release, { once: true });
  async function* read() {
    try {
      yield* body;
    } finally {
      clock.stop();
      release();
    }
  }
  return read();
}
