export { type BackoffOptions, backoffMs } from "./backoff.ts";
export {
  type Bulkhead,
  type BulkheadCaller,
  BulkheadFull,
  type BulkheadQueue,
  createBulkhead,
  createWeightedBulkheads,
} from "./bulkhead.ts";
export { forEachConcurrently } from "./concurrent.ts";
export { limitTime, raceSignal, type TimeLimit, withTimeout } from "./deadline.ts";
export { createDeadlineWheel, type DeadlineWheel, deadlineTickMs } from "./deadline-wheel.ts";
export { createSharedPlaces, type Holder, type SharedPlaces } from "./fair-share.ts";
export { abortSignalOf, type CancelSignal, LazySignal, onAbort } from "./lazy-signal.ts";
export { createLoop, type Loop, type OutageWatch } from "./loop.ts";
export { createRecentMap, type RecentMap } from "./recent-map.ts";
export { sleep } from "./sleep.ts";
