import type { Bench, Running, Subject } from "../subjects/subject.ts";
import type { Latency } from "./compare.ts";

/**
 * The subjects of one row. Each is started and warmed up once and then serves every comparison that has it, by its
 * name: a subject that stands beside four others is warmed up once, not four times. Meanwhile the others are idle.
 */
export interface WarmSubjects {
  /** Starts it and puts it under load, where that was not done before. */
  ready(subject: Subject): Promise<Running>;
  /** Its latency, measured the first time only. */
  latencyOf(subject: Subject, measure: () => Promise<Latency | undefined>): Promise<Latency | undefined>;
  /** Stops all of them. The next comparison starts its own anew. */
  stop(): Promise<void>;
}

/** Opens the subjects of a row: none is started yet. */
export function openSubjects(bench: Bench): WarmSubjects {
  const running = new Map<string, Running>();
  const latencies = new Map<string, Latency | undefined>();
  return {
    async ready(subject) {
      const known = running.get(subject.name);
      if (known !== undefined) return known;
      const started = await subject.start(bench);
      running.set(subject.name, started);
      await started.load.closed(bench.pace.warmUpSeconds);
      return started;
    },
    async latencyOf({ name }, measure) {
      if (!latencies.has(name)) latencies.set(name, await measure());
      return latencies.get(name);
    },
    async stop() {
      const all = [...running.values()];
      running.clear();
      latencies.clear();
      for (const one of all) await one.stop();
    },
  };
}
