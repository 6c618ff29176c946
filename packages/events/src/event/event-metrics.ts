import type { Counter, Histogram, Metrics } from "@rialto/telemetry";

/** Counts the events that this process moved from the outbox to the queue, by topic. */
export function countPublished(metrics: Metrics): (topics: readonly string[]) => void {
  const family = metrics.counter({
    name: "rialto.events.published",
    unit: "{event}",
    description: "Events taken from the outbox, by topic: each transition of an order or a payment is one",
  });
  const byTopic = new Map<string, Counter>();
  return (topics) => {
    for (const topic of topics) {
      const counter = byTopic.get(topic) ?? family.with({ topic });
      byTopic.set(topic, counter);
      counter.add();
    }
  };
}

/** Counts what becomes of the events of one subscription in this process. */
export interface ConsumerCounts {
  readonly processed: Counter;
  /** It failed, and is tried again. */
  readonly retried: Counter;
  /** It waits for a dependency that is down, or its handler took too long. */
  readonly postponed: Counter;
  readonly dead: Counter;
  /** How long an event was due before its first attempt, in seconds. */
  readonly delay: Histogram;
  /** How long a handler took, in seconds. */
  readonly duration: Histogram;
}

/** Seconds: most events are handled within some milliseconds, and after an outage within minutes. */
const delayBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Creates the counts of a subscription. */
export function consumerCounts(metrics: Metrics, subscription: string): ConsumerCounts {
  const ended = metrics.counter({
    name: "rialto.events.handled",
    unit: "{event}",
    description: "Attempts to handle an event, by subscription and by what became of it",
  });
  const of = (outcome: string) => ended.with({ subscription, outcome });
  return {
    processed: of("processed"),
    retried: of("retried"),
    postponed: of("postponed"),
    dead: of("dead"),
    delay: metrics
      .histogram({
        name: "rialto.events.delay",
        unit: "s",
        description: "From an event to the first attempt to handle it, by subscription",
        boundaries: delayBoundaries,
      })
      .with({ subscription }),
    duration: metrics
      .histogram({ name: "messaging.process.duration", unit: "s", description: "How long handlers of events took" })
      .with({ subscription }),
  };
}

/** Returns how long ago a time was, in seconds; 0 where there is none. */
export function secondsSince(time: Date | null): number {
  return time === null ? 0 : Math.max(0, (Date.now() - +time) / 1_000);
}
