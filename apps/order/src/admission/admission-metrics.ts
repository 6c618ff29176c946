import { addSharedGauge, type Counter, cachedFor, type Metrics, sharedReadingMsMax } from "@rialto/telemetry";
import type { QueueReader } from "./queue-reader.ts";

/** Returns the count of the orders that are shed. */
export function createShedCount(metrics: Metrics): Counter {
  return metrics
    .counter({
      name: "rialto.orders.shed",
      unit: "{order}",
      description: "New orders refused because too many wait for the checkout",
    })
    .with({});
}

/** Adds the gauges of the queue of the checkout. The reader is none that the admission reads with. */
export function addQueueGauges(metrics: Metrics, reader: Pick<QueueReader, "readQueue">): void {
  const read = cachedFor(sharedReadingMsMax, () => reader.readQueue());
  addSharedGauge(
    metrics,
    { name: "rialto.orders.waiting", unit: "{order}", description: "Orders whose first step nobody has attempted" },
    async () => [{ labels: {}, value: (await read()).waiting }],
  );
  addSharedGauge(
    metrics,
    {
      name: "rialto.orders.waiting.oldest.age",
      unit: "s",
      description: "How long the first of them has waited: the queueing delay; 0 where none waits",
    },
    async () => [{ labels: {}, value: (await read()).oldestMs / 1_000 }],
  );
}
