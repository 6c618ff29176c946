import type { FailureMeaning } from "@rialto/database";

const kept: FailureMeaning = { again: "uncounted", connection: "kept", outcome: "known", server: "ready" };
const dropped: FailureMeaning = { ...kept, connection: "all dropped" };
const lost: FailureMeaning = { ...kept, connection: "dropped", outcome: "unknown" };

/**
 * Redis: how its errors begin, and ioredis' own (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). A script's error has the
 * one that it met somewhere in its text. No failure of Redis takes a service's readiness away: events wait in the outbox, and requests are
 * counted by each process. An error that is not here is a defect.
 */
const redis: readonly (readonly [text: RegExp, meaning: FailureMeaning, why: string])[] = [
  [/\bREADONLY\b/, dropped, "a replica: the primary is somewhere else now, and the name leads there"],
  [/^UNBLOCKED\b/, dropped, "it became a replica while we waited for a job"],
  [/^MASTERDOWN\b/, dropped, "a replica without its primary"],
  [/^(NOAUTH|WRONGPASS)\b/, dropped, "the password was changed; a new connection says the one that we have"],
  [/^LOADING\b/, kept, "it reads its data; ioredis asks until it has"],
  [/^(CLUSTERDOWN|TRYAGAIN)\b/, kept, "slots of a cluster move or are not served"],
  [/\bOOM\b/, kept, "no memory is left, and it must not evict"],
  [/^(MISCONF|NOREPLICAS)\b/, kept, "it takes no writes while it cannot save or replicate them"],
  [/^BUSY\b/, kept, "a script takes long"],
  [/max number of clients reached/, kept, "no connection is left for us"],
  [/^(Connection is closed|Command timed out|Stream isn't writeable|Reached the max retries)/, lost, "ioredis"],
];

/** What an error of Redis means; undefined for a defect. */
export function meaningOfRedis(error: unknown): FailureMeaning | undefined {
  if (!(error instanceof Error)) return undefined;
  return redis.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** For ioredis' `reconnectOnError`: whether another connection may find a server that can do it. */
export function needsOtherConnection(error: unknown): boolean {
  return meaningOfRedis(error)?.connection === "all dropped";
}
