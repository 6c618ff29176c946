import { type DeadlineWheel, LazySignal } from "@rialto/async";
import { probeMsMax } from "../limits.ts";
import { startClock } from "../server/deadline.ts";
import type { GuardedReplica } from "./circuit-breaker.ts";
import { callOnce } from "./send-once.ts";

/**
 * Asks the replicas whose breakers are half-open whether they are there. It is for calls that may not be sent twice:
 * none of them should be lost to find that out, and where all calls are of this kind a replica that recovered would
 * never be used again. Any response closes a breaker.
 */
export function probeHalfOpen(replicas: readonly GuardedReplica[], wheel: DeadlineWheel): void {
  for (const replica of replicas) if (replica.state() === "half-open") void probe(replica, wheel);
}

/** Never rejects: the breaker has the result. */
async function probe(replica: GuardedReplica, wheel: DeadlineWheel): Promise<void> {
  const clock = startClock(wheel, new LazySignal(), new Date(Date.now() + probeMsMax));
  const request = { verb: "GET", path: "/health", fields: {}, body: undefined };
  await callOnce(replica, request, clock).catch(() => undefined);
  clock.stop();
}
