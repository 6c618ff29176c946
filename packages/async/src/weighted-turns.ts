/** What each queue has earned so far, in turns. */
export type Credits<Queue extends string> = ReadonlyMap<Queue, number>;

/** The queue whose turn it is, and the credits after that turn. */
export interface Turn<Queue extends string> {
  readonly queue: Queue;
  readonly credits: Credits<Queue>;
}

/**
 * Chooses the next among the queues that have someone waiting, by smooth weighted round robin, as nginx balances. Each
 * turn earns every waiting queue its weight, and costs the one with the most credit what all of them earned: a queue's
 * turns are spread and not in a row. An empty queue earns nothing, so it has nothing to catch up on. Returns undefined
 * where no queue waits.
 */
export function nextTurn<Queue extends string>(
  weights: Readonly<Record<Queue, number>>,
  credits: Credits<Queue>,
  waiting: readonly Queue[],
): Turn<Queue> | undefined {
  if (waiting.length === 0) return undefined;
  const earned = new Map(waiting.map((queue) => [queue, (credits.get(queue) ?? 0) + weights[queue]]));
  let total = 0;
  let best: Queue | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const [queue, credit] of earned) {
    total += weights[queue];
    if (credit <= most) continue;
    best = queue;
    most = credit;
  }
  if (best === undefined) return undefined;
  return { queue: best, credits: earned.set(best, most - total) };
}
