import { describe, expect, it } from "vitest";
import {
  emptyQueue,
  expectedDelayMs,
  nextQueueState,
  type QueueState,
  sheddingProbability,
} from "../src/admission/shedding.ts";

const limits = { delayMsTarget: 1_000, unfinishedMax: 1_000 };

const queueOf = (queue: Partial<QueueState>): QueueState => ({ ...emptyQueue, ...queue });
const probabilityOf = (queue: Partial<QueueState>, unfinished = 0) =>
  sheddingProbability(queueOf(queue), unfinished, limits);

describe("the shedding probability", () => {
  it("is none up to the target and rises with the delay that a new order is to expect", () => {
    expect(probabilityOf({ waiting: 500, startsPerMs: 0.5 })).toBe(0);
    expect(probabilityOf({ waiting: 1_000, startsPerMs: 0.5 })).toBeCloseTo(3 / 4);
    expect(probabilityOf({ waiting: 1_500, startsPerMs: 0.5 })).toBeCloseTo(8 / 9);
    expect(probabilityOf({ waiting: 2_500, startsPerMs: 0.5 })).toBe(1);
  });

  it("is by the age of the oldest where the rate is not known, or where the age is more", () => {
    expect(probabilityOf({ waiting: 500, oldestMs: 900 })).toBe(0);
    expect(probabilityOf({ waiting: 500, oldestMs: 2_000 })).toBeCloseTo(3 / 4);
    expect(probabilityOf({ waiting: 500, oldestMs: 2_000, startsPerMs: 100 })).toBeCloseTo(3 / 4);
  });

  it("is none for a few orders that wait, until they wait for half of what is never to be reached", () => {
    expect(probabilityOf({ waiting: 20, oldestMs: 4_999 })).toBe(0);
    expect(probabilityOf({ waiting: 1, oldestMs: 5_000 })).toBe(1);
  });

  it("does not look at orders that wait for something else, but for their number", () => {
    expect(probabilityOf({}, 900)).toBe(0);
    expect(probabilityOf({}, 950)).toBeCloseTo(1 / 2);
    expect(probabilityOf({}, 1_000)).toBe(1);
  });
});

describe("the rate at which orders leave the queue", () => {
  const reading = { waiting: 1_000, oldestMs: 100, started: 50, elapsedMs: 500 };

  it("is learned between two readings that found a backlog", () => {
    const first = nextQueueState(emptyQueue, reading);
    expect(first.startsPerMs).toBeUndefined();
    expect(expectedDelayMs(first)).toBe(100);
    const second = nextQueueState(first, reading);
    expect(second.startsPerMs).toBeCloseTo(0.1);
    expect(expectedDelayMs(second)).toBeCloseTo(10_000);
  });

  it("follows its readings slowly, and is forgotten with the backlog", () => {
    const known = queueOf({ waiting: 1_000, startsPerMs: 0.1 });
    const { startsPerMs = 0 } = nextQueueState(known, { ...reading, started: 500 });
    expect(startsPerMs).toBeGreaterThan(0.1);
    expect(startsPerMs).toBeLessThan(0.5);
    expect(nextQueueState(known, { ...reading, waiting: 5 }).startsPerMs).toBeUndefined();
  });
});

describe("admission in two replicas before one queue", () => {
  const seeds = [1, 2, 3];

  it.each([1.2, 1.5, 2, 4, 8].flatMap((overload) => seeds.map((seed) => ({ overload, seed }))))(
    "keeps the delay near the target at $overload times the capacity (seed $seed)",
    ({ overload, seed }) => {
      const { delays, admitted } = simulate({ arrivalsPerMs: 0.5 * overload, startsPerMs: 0.5, seed });
      const settled = delays.slice(15_000);
      const mean = settled.reduce((sum, delay) => sum + delay, 0) / settled.length;
      expect(mean).toBeGreaterThan(700);
      expect(mean).toBeLessThan(1_300 * Math.sqrt(overload));
      expect(Math.max(...delays)).toBeLessThan(10_000);
      // The checkout is never idle while orders are refused.
      expect(admitted / 60_000).toBeGreaterThan(0.97 * 0.5);
    },
  );

  it.each([1.5, 2, 4])("does not swing at %s times the capacity", (overload) => {
    const { delays } = simulate({ arrivalsPerMs: 0.5 * overload, startsPerMs: 0.5, seed: 4 });
    const settled = delays.slice(15_000);
    const mean = settled.reduce((sum, delay) => sum + delay, 0) / settled.length;
    const deviation = Math.sqrt(settled.reduce((sum, delay) => sum + (delay - mean) ** 2, 0) / settled.length);
    expect(deviation / mean).toBeLessThan(0.35);
  });

  it("sheds nothing below the capacity", () => {
    const { refused } = simulate({ arrivalsPerMs: 0.45, startsPerMs: 0.5, seed: 5 });
    expect(refused).toBe(0);
  });

  it("sheds nothing any more within 5 s of the load's falling", () => {
    const arrivalsPerMs = (ms: number) => (ms < 20_000 ? 2 : 0.4);
    const { refusedAt } = simulate({ arrivalsPerMs, startsPerMs: 0.5, seed: 6 });
    expect(Math.max(...refusedAt)).toBeLessThan(25_000);
  });

  it("never lets the delay come to ten times the target while the capacity falls to a quarter", () => {
    const startsPerMs = (ms: number) => (ms < 20_000 ? 0.5 : 0.125);
    const { delays } = simulate({ arrivalsPerMs: 1, startsPerMs, seed: 7 });
    expect(Math.max(...delays)).toBeLessThan(10_000);
  });
});

/** A minute of two replicas that read one queue, each at its own moments, by a clock of the simulation. */
function simulate(o: {
  readonly arrivalsPerMs: number | ((ms: number) => number);
  readonly startsPerMs: number | ((ms: number) => number);
  readonly seed: number;
}) {
  const random = randomFrom(o.seed);
  const at = (rate: number | ((ms: number) => number), ms: number) => (typeof rate === "number" ? rate : rate(ms));
  const queue: number[] = [];
  let head = 0;
  const delays: number[] = [];
  const refusedAt: number[] = [];
  const replicas = [0, 1].map(() => ({ state: emptyQueue, started: 0, readAt: 0, nextAt: random() * 500 }));
  let arriving = 0;
  let starting = 0;
  for (let ms = 0; ms < 60_000; ms += 1) {
    for (const replica of replicas) {
      if (ms < replica.nextAt) continue;
      const waiting = queue.length - head;
      const oldestMs = waiting === 0 ? 0 : ms - (queue[head] ?? ms);
      const reading = { waiting, oldestMs, started: head - replica.started, elapsedMs: ms - replica.readAt };
      replica.state = nextQueueState(replica.state, reading);
      Object.assign(replica, { started: head, readAt: ms, nextAt: ms + 250 + 250 * random() });
    }
    for (arriving += at(o.arrivalsPerMs, ms); arriving >= 1; arriving -= 1) {
      const { state } = replicas[random() < 0.5 ? 0 : 1] ?? { state: emptyQueue };
      if (random() < sheddingProbability(state, 0, limits)) refusedAt.push(ms);
      else queue.push(ms);
    }
    for (starting += at(o.startsPerMs, ms); starting >= 1; starting -= 1) {
      const placed = queue[head];
      if (placed === undefined) continue;
      head += 1;
      delays.push(ms - placed);
    }
  }
  return { delays, admitted: queue.length, refused: refusedAt.length, refusedAt };
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
