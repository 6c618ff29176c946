import { createAsyncIterable } from "@connectrpc/connect/protocol";
import type { Replica } from "./byte-replica.ts";
import type { ByteRequest } from "./bytes.ts";
import { callErrors } from "./call-errors.ts";
import type { CallClock } from "./deadline.ts";
import { Refusal } from "./errors.ts";
import type { GuardedReplica, Outcome } from "./guarded-replica.ts";
import { answerMarginMs, silenceMsMin } from "./limits.ts";
import { readWhole, withBody } from "./request-body.ts";
import { Silent } from "./retry.ts";
import { saysUnavailable, setTimeoutMs } from "./wire-protocol.ts";

/**
 * Sends a request to one replica, once, with the body that was read of it, and remembers how that went: a lost connection, or silence until the
 * deadline, is the replica's failure; what its caller broke off is not.
 */
export async function attemptAt(
  guarded: GuardedReplica,
  request: ByteRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome> {
  const started = Date.now();
  // A caller who leaves, or who was in a hurry, tells nothing about the replica; one who waited in vain does.
  const isSilent = () => isDeadline(clock) && Date.now() - started >= silenceMsMin + answerMarginMs;
  const outcome = await guarded.attempt(
    () =>
      send(guarded.replica, request, body, clock, isStream).catch((cause: unknown) => ({
        kind: "LOST",
        cause: isSilent() ? new Silent("no answer within the deadline", { cause }) : cause,
      })),
    () => clock.signal.aborted && !isSilent(),
  );
  if (outcome.kind === "ANSWER" && saysUnavailable(outcome.response)) guarded.saidUnavailable();
  return outcome;
}

function isDeadline({ signal }: CallClock): boolean {
  return signal.reason instanceof Refusal && signal.reason.reason === callErrors.DEADLINE_PASSED.reason;
}

async function send(
  replica: Replica,
  request: ByteRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome> {
  const header = new Headers(request.header);
  setTimeoutMs(header, toldTimeoutMs(+clock.deadline - Date.now()));
  const { pathname, search } = new URL(request.url);
  const url = new URL(`${pathname}${search}`, replica.url).href;
  const response = await replica.fetch(withBody({ ...request, url, header, signal: clock.signal }, body));
  if (isStream) return { kind: "ANSWER", response: { ...response, body: untilClockStops(response.body, clock) } };
  const whole = await readWhole(response.body);
  return { kind: "ANSWER", response: { ...response, body: createAsyncIterable([whole]) } };
}

/**
 * How long a replica is told that it has, of what is left: a little less, so that one that is late can say so itself and is not taken for one
 * that is silent. Nobody in a hurry loses by it: their calls are too short to tell anything about the replica.
 */
function toldTimeoutMs(leftMs: number): number {
  return Math.max(1, Math.min(leftMs, silenceMsMin), leftMs - answerMarginMs);
}

async function* untilClockStops(body: AsyncIterable<Uint8Array>, clock: CallClock): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } finally {
    clock.stop();
  }
}
