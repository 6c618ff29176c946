import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { SubscriptionSchema } from "@rialto/contracts";

/** What one keeper says of a subscription: its publisher, its subscriber, or a service that is both to some. Fields that it does not know are left out. */
export interface SubscriptionPart {
  readonly name: string;
  readonly subscriber?: string;
  readonly topics?: readonly string[];
  readonly paused?: boolean;
  readonly lag?: bigint;
  readonly waiting?: bigint;
  readonly deadLetters?: bigint;
  readonly oldestTime?: Timestamp | undefined;
}

/** Puts together what the keepers of subscriptions say of each: figures are summed, the oldest is the oldest of all. By name. */
export function mergeSubscriptions(
  parts: readonly SubscriptionPart[],
  now: Date,
): MessageInitShape<typeof SubscriptionSchema>[] {
  const byName = Map.groupBy(parts, ({ name }) => name);
  return [...byName]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, of]) => ({
      name,
      subscriber: of.map(({ subscriber }) => subscriber ?? "").find((subscriber) => subscriber !== "") ?? "",
      topics: [...new Set(of.flatMap(({ topics }) => topics ?? []))].sort(),
      paused: of.some(({ paused }) => paused === true),
      lag: sum(of.map(({ lag }) => lag)),
      waiting: sum(of.map(({ waiting }) => waiting)),
      deadLetters: sum(of.map(({ deadLetters }) => deadLetters)),
      ...oldestOf(of, now),
    }));
}

function sum(figures: readonly (bigint | undefined)[]): bigint {
  return figures.reduce<bigint>((total, figure) => total + (figure ?? 0n), 0n);
}

function oldestOf(parts: readonly SubscriptionPart[], now: Date) {
  const times = parts.flatMap(({ oldestTime }) => (oldestTime === undefined ? [] : [oldestTime]));
  const [oldestTime] = times.sort((one, other) => timestampMs(one) - timestampMs(other));
  if (oldestTime === undefined) return {};
  return { oldestTime, oldestAge: durationFromMs(Math.max(0, now.getTime() - timestampMs(oldestTime))) };
}
