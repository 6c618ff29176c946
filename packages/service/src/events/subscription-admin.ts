import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, type Timestamp, timestampFromDate, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  PauseSubscriptionResponseSchema,
  RemoveSubscriptionResponseSchema,
  ResumeSubscriptionResponseSchema,
  type SubscriptionSchema,
  SubscriptionService,
} from "@rialto/contracts";
import { type AuditChange, type Database, once, recordAudit, type Transaction } from "@rialto/database";
import {
  isPaused,
  type Jobs,
  type PublisherStats,
  pauseSubscription,
  publisherStats,
  removeFromInbox,
  removeRegistration,
  resumeSubscription,
  type SubscriberStats,
  type Subscription,
  subscriberStats,
} from "@rialto/events";
import { auditOf, type CallContext, CallError, callerName, type Route, serve } from "@rialto/rpc";
import type { ServiceName } from "../service-name.ts";
import { eventErrors } from "./errors.ts";

/** What `subscriptionRoute` needs: the service's data, and the subscriptions that it runs. */
export interface SubscriptionParts {
  readonly service: ServiceName;
  readonly database: Database;
  readonly jobs: Jobs;
  readonly subscriptions: readonly Subscription[];
  /** Whether the service publishes, and whether it subscribes. */
  readonly publishes: boolean;
  readonly subscribes: boolean;
  /** Whether the schema has an audit log. */
  readonly audits?: boolean;
}

/** Serves this service's part of the subscriptions. The gateway merges the answers of all services. */
export function subscriptionRoute(parts: SubscriptionParts): Route {
  const { service, database, jobs, subscriptions, publishes, subscribes, audits = false } = parts;
  const { sql } = database;
  const isRun = (name: string) => subscriptions.some((subscription) => subscription.name === name);

  async function audit(
    tx: Transaction,
    ctx: CallContext,
    name: string,
    changes: readonly AuditChange[],
  ): Promise<void> {
    if (audits) await recordAudit(tx, auditOf(ctx, { subject: `subscription:${name}`, changes }));
  }

  /** Changes a subscription that this service runs, once for an idempotency key. */
  async function change(
    ctx: CallContext,
    o: { readonly name: string; readonly what: string; readonly paused: boolean; work(tx: Transaction): Promise<void> },
  ) {
    const { idempotencyKey, caller, log } = ctx;
    if (!isRun(o.name)) throw new CallError(eventErrors.SUBSCRIPTION_NOT_FOUND);
    const answer = await once(sql, idempotencyKey, async (tx) => {
      const before = await isPaused(tx, o.name);
      await o.work(tx);
      if (before !== o.paused)
        await audit(tx, ctx, o.name, [{ field: "paused", before: String(before), after: String(o.paused) }]);
      return {};
    });
    log.info({ subscription: o.name, actor: callerName(caller) }, o.what);
    return answer;
  }

  return serve(SubscriptionService, {
    async listSubscriptions(_request, ctx) {
      const [published, subscribed] = await Promise.all([
        publishes ? publisherStats(sql) : [],
        subscribes ? subscriberStats(sql) : [],
      ]);
      const ours = subscriptions.map(({ name }) => ({ name, subscriber: service }));
      const all = [...ours, ...published.map(ofPublisher), ...subscribed.map(ofSubscriber)];
      return { subscriptions: mergeSubscriptions(all, ctx.now) };
    },

    async pauseSubscription({ name }, ctx) {
      const what = "subscription paused";
      const answer = await change(ctx, { name, what, paused: true, work: (tx) => pauseSubscription(tx, name) });
      return fromJson(PauseSubscriptionResponseSchema, answer);
    },

    async resumeSubscription({ name }, ctx) {
      const what = "subscription resumed";
      const answer = await change(ctx, { name, what, paused: false, work: (tx) => resumeSubscription(tx, name) });
      return fromJson(ResumeSubscriptionResponseSchema, answer);
    },

    async removeSubscription({ name }, ctx) {
      const { idempotencyKey, caller, log } = ctx;
      const answer = await once(sql, idempotencyKey, async (tx) => {
        if (isRun(name) && !(await isPaused(tx, name))) throw new CallError(eventErrors.SUBSCRIPTION_IN_USE);
        const unregistered = publishes && (await removeRegistration(tx, name));
        const forgotten = subscribes && (await removeFromInbox(tx, name));
        if (!unregistered && !forgotten) throw new CallError(eventErrors.SUBSCRIPTION_NOT_FOUND);
        const removed = [...(unregistered ? ["registration"] : []), ...(forgotten ? ["inbox"] : [])];
        await audit(
          tx,
          ctx,
          name,
          removed.map((field) => ({ field, after: "REMOVED" })),
        );
        // Before the commit: while the queue is unavailable nothing is removed, and the caller repeats the call.
        if (unregistered) await jobs.empty(name);
        return {};
      });
      log.warn({ subscription: name, actor: callerName(caller) }, "subscription removed");
      return fromJson(RemoveSubscriptionResponseSchema, answer);
    },
  });
}

function ofPublisher({ subscription, topics, lag, oldestTime }: PublisherStats): SubscriptionPart {
  return { name: subscription, topics: [...topics], lag: BigInt(lag), ...oldest(oldestTime) };
}

function ofSubscriber({ subscription, paused, waiting, dead, oldestTime }: SubscriberStats): SubscriptionPart {
  const figures = { waiting: BigInt(waiting), lag: BigInt(waiting), deadLetters: BigInt(dead) };
  return { name: subscription, paused, ...figures, ...oldest(oldestTime) };
}

function oldest(time: Date | null) {
  return time === null ? {} : { oldestTime: timestampFromDate(time) };
}

/**
 * One service's part of a subscription, as its publisher, its subscriber or both. Fields that it does not know are
 * absent.
 */
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

/** Merges the parts of each subscription: counts are summed, the oldest time is the minimum. Sorted by name. */
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
