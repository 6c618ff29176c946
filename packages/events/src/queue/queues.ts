import type { JsonValue } from "@bufbuild/protobuf";
import type { JobsOptions } from "bullmq";
import type { JobState, NewJob } from "./jobs.ts";
import { jobOptions } from "./options.ts";

/** What both of BullMQ's queues, on Redis and on Postgres, look like from here. */
export interface BullQueue {
  on(event: "error", listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  addBulk(jobs: { name: string; data: JsonValue; opts: JobsOptions }[]): Promise<unknown>;
  getJobState(id: string): Promise<string>;
  obliterate(o: { force: boolean }): Promise<void>;
  close(): Promise<void>;
}

/**
 * The producing side: one BullMQ queue a name, made when it is first needed. One that could not connect remembers that for ever, so it is
 * thrown away and made anew the next time.
 */
export function createQueues(create: (name: string) => BullQueue) {
  const queues = new Map<string, Promise<BullQueue>>();

  function queueOf(name: string): Promise<BullQueue> {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const opening = open(name);
    queues.set(name, opening);
    return opening;
  }

  async function open(name: string): Promise<BullQueue> {
    const queue = create(name);
    // Whoever uses the queue is told by the call that fails.
    queue.on("error", () => undefined);
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      queues.delete(name);
      await queue.close().catch(() => undefined);
      throw error;
    }
  }

  return {
    async add(name: string, jobs: readonly NewJob[]): Promise<void> {
      const queue = await queueOf(name);
      await queue.addBulk(jobs.map(({ id, data }) => ({ name, data, opts: { ...jobOptions, jobId: id } })));
    },
    async states(name: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
      const queue = await queueOf(name);
      return new Map(await Promise.all(ids.map(async (id) => [id, toJobState(await queue.getJobState(id))] as const)));
    },
    async empty(name: string): Promise<void> {
      const queue = await queueOf(name);
      await queue.obliterate({ force: true });
    },
    async close(): Promise<void> {
      const open = await Promise.allSettled(queues.values());
      await Promise.allSettled(open.map((opened) => opened.status === "fulfilled" && opened.value.close()));
    },
  };
}

/** What a state of BullMQ means to the relay: waiting, delayed and active jobs are still on their way. */
function toJobState(state: string): JobState {
  if (state === "completed") return "completed";
  return state === "failed" || state === "unknown" ? "lost" : "open";
}
