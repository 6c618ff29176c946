import { Code, ConnectError } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { answerMarginMs, silenceMsMin } from "../limits.ts";
import type { CallClock } from "../server/deadline.ts";
import type { ByteRequest, ByteResponse } from "../wire/http-message.ts";
import { saysItsEnd, saysUnavailable, setTimeoutMs } from "../wire/wire-protocol.ts";
import type { GuardedReplica, Outcome } from "./circuit-breaker.ts";
import { readWhole, withBody } from "./request-body.ts";
import { BodyBrokenOff, BrokenAnswer } from "./response-failure.ts";
import { Silent } from "./retry.ts";

/**
 * Sends a request to one replica, once, with the body that was read of it, and remembers how that went: a lost connection, or silence until the
 * deadline, is the replica's failure. What its caller broke off is not, nor that there was no room on the way to it.
 */
export async function attemptAt(
  guarded: GuardedReplica,
  request: ByteRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome> {
  const { calls, streams, url } = guarded.replica;
  const way = isStream ? streams : calls;
  let sentAt: number | undefined;
  // A caller who leaves, or who was in a hurry, tells nothing about the replica; one who waited in vain for its answer does.
  const isSilent = () =>
    sentAt !== undefined && isDeadline(clock) && Date.now() - sentAt >= silenceMsMin + answerMarginMs;

  async function send(): Promise<Outcome> {
    const leave = await way.bulkhead.acquire({ signal: clock.signal });
    sentAt = Date.now();
    try {
      const response = await way.fetch(withBody(addressed({ ...request, ...marked(request) }, url, clock), body));
      if (isStream) return { kind: "ANSWER", response: { ...response, body: streamed(response.body, clock, leave) } };
      const whole = await readAnswer(response);
      leave();
      return { kind: "ANSWER", response: { ...response, body: createAsyncIterable([whole]) } };
    } catch (error) {
      leave();
      throw error;
    }
  }

  const outcome = await guarded.attempt(
    () =>
      send().catch((cause: unknown) => ({
        kind: "LOST",
        cause: isSilent() ? new Silent("no answer within the deadline", { cause }) : cause,
      })),
    () => clock.signal.aborted && !isSilent(),
  );
  if (outcome.kind === "ANSWER" && saysUnavailable(outcome.response)) guarded.saidUnavailable();
  return outcome;
}

/** A body that goes on as it comes, whose end is its caller's doing where it breaks off. */
function marked({ body }: ByteRequest): Pick<ByteRequest, "body"> {
  if (body === undefined) return {};
  async function* read(of: AsyncIterable<Uint8Array>) {
    try {
      yield* of;
    } catch (cause) {
      throw new BodyBrokenOff(cause);
    }
  }
  return { body: read(body) };
}

/** All of an answer, which breaks where it is larger than what is kept of one, or has not said how its call ended. */
async function readAnswer({ header, trailer, body }: ByteResponse): Promise<Uint8Array> {
  const whole = await readWhole(body).catch((error: unknown) => {
    throw isTooLarge(error) ? new BrokenAnswer(error) : error;
  });
  if (!saysItsEnd({ header, trailer })) throw new BrokenAnswer(new Error("a gRPC answer without a status"));
  return whole;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.ResourceExhausted;
}

function isDeadline({ signal }: CallClock): boolean {
  return signal.reason instanceof CallError && signal.reason.reason === callErrors.DEADLINE_PASSED.reason;
}

/** The request as it is sent to a replica: to its address, with what is left of the time. */
function addressed(request: ByteRequest, replicaUrl: string, { deadline, signal }: CallClock): ByteRequest {
  const header = new Headers(request.header);
  setTimeoutMs(header, toldTimeoutMs(+deadline - Date.now()));
  const { pathname, search } = new URL(request.url);
  return { ...request, url: new URL(`${pathname}${search}`, replicaUrl).href, header, signal };
}

/**
 * How long a replica is told that it has, of what is left: a little less, so that one that is late can say so itself and is not taken for one
 * that is silent. Nobody in a hurry loses by it: their calls are too short to tell anything about the replica.
 */
function toldTimeoutMs(leftMs: number): number {
  return Math.max(1, Math.min(leftMs, silenceMsMin), leftMs - answerMarginMs);
}

/** A stream that ends its call, and leaves its place to another, when it is read to its end, given up or late. */
function streamed(body: AsyncIterable<Uint8Array>, clock: CallClock, leave: () => void): AsyncIterable<Uint8Array> {
  // One that nobody reads is over as well when its caller is gone.
  clock.signal.addEventListener("abort", leave, { once: true });
  async function* read() {
    try {
      yield* body;
    } finally {
      clock.stop();
      leave();
    }
  }
  return read();
}
