import { createRandom } from "./random.ts";

/** What can be killed: a service's name is one of its replicas. */
export const killable = [
  "user",
  "product",
  "order",
  "payment",
  "notification",
  "gateway",
  "postgres",
  "redis",
] as const;
export type Target = (typeof killable)[number];

/** One fault, at a moment told in orders begun, so that the faults last as long as the customers do. */
export type FaultPlan = {
  /** Fires when so many orders were begun, and this much later. */
  readonly afterOrders: number;
  readonly delayMs: number;
} & (
  | { readonly kind: "KILL"; readonly target: Target; readonly replica: number; readonly downMs: number }
  | { readonly kind: "FREEZE"; readonly target: Target; readonly replica: number; readonly forMs: number }
  | {
      readonly kind: "DROP";
      /** CUT closes what is open and lets nobody in; SILENCE lets every byte wait until it is over. */
      readonly way: "CUT" | "SILENCE";
      /** Picks one of the lines between two parts. */
      readonly line: number;
      readonly forMs: number;
    }
  | { readonly kind: "FLUSH" }
  /** Postgres takes no writes for a while. */
  | { readonly kind: "READ_ONLY"; readonly forMs: number }
  /** Postgres is killed, and its synchronous standby takes over. */
  | { readonly kind: "MOVE" }
  /** Every connection to Postgres and to Redis is ended by the server, so many times, one shortly after the other. */
  | { readonly kind: "CUT_ALL"; readonly times: number }
);

export interface FaultCounts {
  readonly kills: number;
  readonly freezes: number;
  readonly drops: number;
  /** FLUSHALL: Redis lives on without its memory. */
  readonly flushes: number;
  readonly readOnlys: number;
  readonly moves: number;
  readonly cuts: number;
}

/** Plans all faults of a run, in the order of their moments. */
export function planFaults(seed: number, orders: number, counts: FaultCounts, withRedis: boolean): FaultPlan[] {
  const random = createRandom(seed, "faults");
  const targets = killable.filter((target) => withRedis || target !== "redis");
  const moment = () => ({ afterOrders: random.int(1, orders), delayMs: random.int(0, 1_500) });
  // Each kind of process in turn, so that none is left out; what remains goes by weight.
  const rounds = Math.floor(counts.kills / (targets.length * 2));
  const sure = Array.from({ length: rounds }, () => targets).flat();
  const weights = { user: 2, product: 4, order: 6, payment: 5, notification: 4, gateway: 2, postgres: 4, redis: 3 };
  const possible = { ...weights, redis: withRedis ? weights.redis : 0 };
  const killed = Array.from({ length: counts.kills }, (_, n) => sure[n] ?? random.weighted(possible));
  const faults: FaultPlan[] = [
    ...killed.map((target) => ({
      kind: "KILL" as const,
      target,
      replica: random.int(0, 1),
      downMs: random.int(0, 2_500),
      ...moment(),
    })),
    ...Array.from({ length: counts.freezes }, () => ({
      kind: "FREEZE" as const,
      target: random.pick(targets),
      replica: random.int(0, 1),
      forMs: random.pick([500, 2_000, 4_000, 7_000, 12_000]),
      ...moment(),
    })),
    ...Array.from({ length: counts.drops }, () => ({
      kind: "DROP" as const,
      way: random.pick(["CUT", "SILENCE"] as const),
      line: random.int(0, 1_000_000),
      forMs: random.pick([0, 500, 3_000, 8_000]),
      ...moment(),
    })),
    ...Array.from({ length: withRedis ? counts.flushes : 0 }, (_, n) => ({
      kind: "FLUSH" as const,
      afterOrders: Math.ceil(((n + 1) * orders) / (counts.flushes + 1)),
      delayMs: 0,
    })),
    // Drawn last: the other faults of a seed are what they were before there were these.
    ...Array.from({ length: counts.readOnlys }, () => ({
      kind: "READ_ONLY" as const,
      forMs: random.pick([500, 3_000, 8_000, 15_000]),
      ...moment(),
    })),
    ...Array.from({ length: counts.moves }, () => ({ kind: "MOVE" as const, ...moment() })),
    ...Array.from({ length: counts.cuts }, () => ({ kind: "CUT_ALL" as const, times: random.int(1, 8), ...moment() })),
  ];
  return faults.sort((a, b) => a.afterOrders - b.afterOrders || a.delayMs - b.delayMs);
}
