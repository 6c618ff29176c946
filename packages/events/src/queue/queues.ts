import type { JsonValue } from "@bufbuild/protobuf";
import type { JobsOptions } from "bullmq";
import type { JobState, NewJob } from "./jobs.ts";
import { jobOptions } from "./options.ts";

/** The interface that BullMQ's queues on Redis and on Postgres share. */
export interface BullQueue {
  on(event: "error", listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  add(name: string, data: JsonValue, opts: JobsOptions): Promise<unknown>;
  addBulk(jobs: { name: string; data: JsonValue; opts: JobsOptions }[]): Promise<unknown>;
  getJobState(id: string): Promise<string>;
  getJobCountByTypes(...types: readonly ("waiting" | "active" | "delayed" | "prioritized")[]): Promise<number>;
  obliterate(o: { force: boolean }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Creates the producing side: one BullMQ queue per name, created when it is first needed. A queue that could not
 * connect remembers the failure for good, so it is discarded and created again the next time.
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
    // The call that fails reports it.
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
      const made = jobs.map(({ id, data }) => ({ name, data, opts: { ...jobOptions, jobId: id } }));
      const [only, ...others] = made;
      // BullMQ's bulk function on Postgres makes two temporary tables: 35 KB of WAL, and more CPU than all the rest.
      if (only !== undefined && others.length === 0) await queue.add(name, only.data, only.opts);
      else await queue.addBulk(made);
    },
    async states(name: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
      const queue = await queueOf(name);
      return new Map(await Promise.all(ids.map(async (id) => [id, toJobState(await queue.getJobState(id))] as const)));
    },
    async depth(name: string): Promise<number> {
      const queue = await queueOf(name);
      return await queue.getJobCountByTypes("waiting", "active", "delayed", "prioritized");
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

/** Maps a state of BullMQ. Waiting, delayed and active jobs are open. */
export function toJobState(state: string): JobState {
  if (state === "completed") return "completed";
  return state === "failed" || state === "unknown" ? "lost" : "open";
}
