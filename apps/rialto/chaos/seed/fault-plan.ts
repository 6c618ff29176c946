import { createRandom } from "./random.ts";

/** What can be killed. A service's name means one of its replicas. */
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

/** One fault. Its time is given in started orders, so that the faults are spread over the run. */
export type FaultPlan = {
  /** Starts after this many orders and this delay. */
  readonly afterOrders: number;
  readonly delayMs: number;
} & (
  | { readonly kind: "KILL"; readonly target: Target; readonly replica: number; readonly downMs: number }
  | { readonly kind: "FREEZE"; readonly target: Target; readonly replica: number; readonly forMs: number }
  | {
      readonly kind: "DROP";
      /** CUT closes connections and refuses new ones; SILENCE holds back all data. */
      readonly way: "CUT" | "SILENCE";
      /** Selects a link between two parts. */
      readonly link: number;
      readonly forMs: number;
    }
  | { readonly kind: "FLUSH" }
  /** Postgres refuses writes for a while. */
  | { readonly kind: "READ_ONLY"; readonly forMs: number }
  /** Postgres is killed, and its synchronous standby takes over. */
  | { readonly kind: "MOVE" }
  /** The servers close every connection to Postgres and Redis, several times in a row. */
  | { readonly kind: "CUT_ALL"; readonly times: number }
);

export interface FaultCounts {
  readonly kills: number;
  readonly freezes: number;
  readonly drops: number;
  /** FLUSHALL: Redis loses its data and continues. */
  readonly flushes: number;
  readonly readOnlys: number;
  readonly moves: number;
  readonly cuts: number;
}

/** Plans all faults of a run, ordered by time. */
export function planFaults(seed: number, orders: number, counts: FaultCounts, withRedis: boolean): FaultPlan[] {
  const random = createRandom(seed, "faults");
  const targets = killable.filter((target) => withRedis || target !== "redis");
  const moment = () => ({ afterOrders: random.int(1, orders), delayMs: random.int(0, 1_500) });
  // Each kind of process at least once; the rest by weight.
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
      link: random.int(0, 1_000_000),
      forMs: random.pick([0, 500, 3_000, 8_000]),
      ...moment(),
    })),
    ...Array.from({ length: withRedis ? counts.flushes : 0 }, (_, n) => ({
      kind: "FLUSH" as const,
      afterOrders: Math.ceil(((n + 1) * orders) / (counts.flushes + 1)),
      delayMs: 0,
    })),
    // Drawn last, so that the other faults of a seed stay the same as before these existed.
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
