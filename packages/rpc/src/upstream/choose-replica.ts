import type { GuardedReplica } from "./circuit-breaker.ts";

export interface Choice {
  /** The replicas that this call was sent to already. */
  readonly tried: ReadonlySet<GuardedReplica>;
  /** The call may be sent again where its result is unknown. */
  readonly isSafe: boolean;
  /** How many requests of this call's kind a replica has in flight. */
  readonly loadOf: (replica: GuardedReplica) => number;
  /** A number from 0 to 1, without 1. */
  readonly random: () => number;
}

/**
 * Chooses the replica that a call is sent to: of two that are drawn at random, the one with fewer requests in flight.
 * So a slow replica gets fewer calls, and many processes that see the same one idle do not all turn to it.
 *
 * A replica that was not tried in this call comes before one that was, and one that is about to stop after the others.
 * A call that is safe to retry may be the probe of a half-open breaker; another call only where no other replica is
 * left. Where all breakers are open, all replicas are tried, each by one call at a time: the pause of a breaker makes
 * room for other replicas, and there is none. Returns undefined where each of them has its probe.
 */
export function chooseReplica(replicas: readonly GuardedReplica[], choice: Choice): GuardedReplica | undefined {
  // Nearly always.
  if (choice.tried.size === 0) {
    const [a, b] = drawTwo(replicas, choice.random);
    if (a !== undefined && isWell(a) && (b === undefined || isWell(b))) return lessLoaded(a, b, choice);
  }
  const usable = replicas.filter((replica) => replica.state() !== "open");
  const candidates = usable.length > 0 ? usable : replicas.filter((replica) => !replica.isProbed());
  const untried = preferred(candidates, (replica) => !choice.tried.has(replica));
  const closed = choice.isSafe ? untried : preferred(untried, (replica) => replica.state() === "closed");
  const staying = preferred(closed, ({ replica }) => !replica.isLeaving());
  const [a, b] = drawTwo(staying, choice.random);
  return a === undefined ? undefined : lessLoaded(a, b, choice);
}

function isWell(replica: GuardedReplica): boolean {
  return replica.state() === "closed" && !replica.replica.isLeaving();
}

/** Returns those that are preferred; all where none is. */
function preferred(
  replicas: readonly GuardedReplica[],
  isPreferred: (replica: GuardedReplica) => boolean,
): readonly GuardedReplica[] {
  const some = replicas.filter(isPreferred);
  return some.length > 0 ? some : replicas;
}

/** Returns two different replicas, or all where there are fewer. */
function drawTwo(
  replicas: readonly GuardedReplica[],
  random: () => number,
): readonly [GuardedReplica | undefined, GuardedReplica | undefined] {
  if (replicas.length < 2) return [replicas[0], undefined];
  const first = Math.floor(random() * replicas.length);
  const distance = 1 + Math.floor(random() * (replicas.length - 1));
  return [replicas[first], replicas[(first + distance) % replicas.length]];
}

function lessLoaded(a: GuardedReplica, b: GuardedReplica | undefined, { loadOf }: Choice): GuardedReplica {
  return b !== undefined && loadOf(b) < loadOf(a) ? b : a;
}
