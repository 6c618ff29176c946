/** What one reading says about the orders that wait for their first attempt, our own queue. */
export interface QueueReading {
  /** Orders whose first step nobody has attempted. */
  readonly waiting: number;
  /** How long the oldest of them has waited. */
  readonly oldestMs: number;
  /** Orders that left the queue since the reading before, and how long ago that was. */
  readonly started: number;
  readonly elapsedMs: number;
}

/** The queue as the readings so far describe it. */
export interface QueueState {
  readonly waiting: number;
  readonly oldestMs: number;
  /** How many orders leave the queue, where enough have waited all the time to tell. */
  readonly startsPerMs: number | undefined;
}

/** What admission keeps to. */
export interface AdmissionLimits {
  /** The queueing delay that is aimed at. Ten times as much is never to be reached. */
  readonly delayMsTarget: number;
  /** Orders that have work left, whatever they wait for. */
  readonly unfinishedMax: number;
}

export const emptyQueue: QueueState = { waiting: 0, oldestMs: 0, startsPerMs: undefined };

/**
 * Fewer than one job carries. Such a queue is the normal case between two jobs, and is empty as soon as one has been
 * taken: how fast it moves says nothing, and shedding would not make it shorter.
 */
const backlogMin = 100;
/** The time constant with which the rate follows its readings. */
const rateMs = 1_500;
/**
 * Multiples of the target. From there on nothing is admitted: half of what is never to be reached, because an order
 * that is admitted at this delay has it still before it, at a rate that may fall.
 */
const closedAt = 5;
/** The part of `unfinishedMax` over which the probability rises to 1. */
const unfinishedRamp = 0.1;

/**
 * Returns the state after one more reading. The rate is learned only between two readings that found a backlog: where
 * the queue was empty in between, it is the rate of new orders, and not what the checkout can do.
 */
export function nextQueueState(before: QueueState, reading: QueueReading): QueueState {
  const { waiting, oldestMs, started, elapsedMs } = reading;
  const isBacklog = before.waiting >= backlogMin && waiting >= backlogMin && elapsedMs > 0;
  if (!isBacklog) return { waiting, oldestMs, startsPerMs: undefined };
  const observed = started / elapsedMs;
  const weight = 1 - Math.exp(-elapsedMs / rateMs);
  const startsPerMs = before.startsPerMs ?? observed;
  return { waiting, oldestMs, startsPerMs: startsPerMs + weight * (observed - startsPerMs) };
}

/**
 * Returns how long an order that is admitted now will wait: as long as the queue before it takes, and no less than the
 * oldest has waited already. The age of the oldest alone would tell too late. It is what those saw who came long ago,
 * and a probability that follows it swings.
 */
export function expectedDelayMs({ waiting, oldestMs, startsPerMs }: QueueState): number {
  if (waiting < backlogMin || startsPerMs === undefined) return oldestMs;
  return Math.max(oldestMs, waiting / startsPerMs);
}

/**
 * Returns the share of new orders to refuse: none up to the target, then so many that the delay settles a little above
 * it (at the target times the square root of the overload), and all where the delay comes near what is never to be
 * reached, or too many orders are unfinished. It depends on what all replicas read alike, and on nothing that one of
 * them did before: so they agree, also where one of them was started a moment ago.
 */
export function sheddingProbability(
  queue: QueueState,
  unfinished: number,
  { delayMsTarget, unfinishedMax }: AdmissionLimits,
): number {
  const full = unfinishedMax * unfinishedRamp;
  const byNumber = (unfinished - unfinishedMax + full) / full;
  return Math.min(1, Math.max(0, byNumber, probabilityByDelay(queue, delayMsTarget)));
}

function probabilityByDelay(queue: QueueState, delayMsTarget: number): number {
  if (queue.oldestMs >= closedAt * delayMsTarget) return 1;
  if (queue.waiting < backlogMin) return 0;
  const ratio = expectedDelayMs(queue) / delayMsTarget;
  if (ratio >= closedAt) return 1;
  return ratio <= 1 ? 0 : 1 - 1 / ratio ** 2;
}
