import { fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  PauseSubscriptionResponseSchema,
  RemoveSubscriptionResponseSchema,
  ResumeSubscriptionResponseSchema,
  SubscriptionService,
} from "@rialto/contracts";
import { type Database, once, type Transaction } from "@rialto/database";
import {
  isPaused,
  type Jobs,
  type PublisherFigures,
  pauseSubscription,
  publisherFigures,
  removeFromInbox,
  removeRegistration,
  resumeSubscription,
  type SubscriberFigures,
  type Subscription,
  subscriberFigures,
} from "@rialto/events";
import { type CallContext, callerName, type Route, refuse, serve } from "@rialto/rpc";
import { eventErrors } from "./errors.ts";
import { mergeSubscriptions, type SubscriptionPart } from "./merge-subscriptions.ts";
import type { ServiceName } from "./service-name.ts";

/** What a service keeps of subscriptions: those that are registered with it, and those that it runs itself. */
export interface SubscriptionParts {
  readonly service: ServiceName;
  readonly database: Database;
  readonly jobs: Jobs;
  readonly subscriptions: readonly Subscription[];
  /** Whether the schema has an outbox, and whether it has an inbox. */
  readonly publishes: boolean;
  readonly subscribes: boolean;
}

/** Serves what this service knows of subscriptions; the gateway puts the answers of all services together. */
export function subscriptionRoute(parts: SubscriptionParts): Route {
  const { service, database, jobs, subscriptions, publishes, subscribes } = parts;
  const { sql } = database;
  const isRun = (name: string) => subscriptions.some((subscription) => subscription.name === name);

  /** Does one thing to a subscription that this service runs, once for a key. */
  async function change(
    { idempotencyKey, caller, log }: CallContext,
    o: { readonly name: string; readonly what: string; work(tx: Transaction): Promise<void> },
  ) {
    if (!isRun(o.name)) throw refuse(eventErrors.SUBSCRIPTION_NOT_FOUND);
    const answer = await once(sql, idempotencyKey, async (tx) => {
      await o.work(tx);
      return {};
    });
    log.info({ subscription: o.name, actor: callerName(caller) }, o.what);
    return answer;
  }

  return serve(SubscriptionService, {
    async listSubscriptions(_request, ctx) {
      const [published, subscribed] = await Promise.all([
        publishes ? publisherFigures(sql) : [],
        subscribes ? subscriberFigures(sql) : [],
      ]);
      const ours = subscriptions.map(({ name }) => ({ name, subscriber: service }));
      const all = [...ours, ...published.map(ofPublisher), ...subscribed.map(ofSubscriber)];
      return { subscriptions: mergeSubscriptions(all, ctx.now) };
    },

    async pauseSubscription({ name }, ctx) {
      const what = "a subscription was paused";
      const answer = await change(ctx, { name, what, work: (tx) => pauseSubscription(tx, name) });
      return fromJson(PauseSubscriptionResponseSchema, answer);
    },

    async resumeSubscription({ name }, ctx) {
      const what = "a subscription goes on";
      const answer = await change(ctx, { name, what, work: (tx) => resumeSubscription(tx, name) });
      return fromJson(ResumeSubscriptionResponseSchema, answer);
    },

    async removeSubscription({ name }, { idempotencyKey, caller, log }) {
      const answer = await once(sql, idempotencyKey, async (tx) => {
        if (isRun(name) && !(await isPaused(tx, name))) throw refuse(eventErrors.SUBSCRIPTION_IN_USE);
        const unregistered = publishes && (await removeRegistration(tx, name));
        const forgotten = subscribes && (await removeFromInbox(tx, name));
        if (!unregistered && !forgotten) throw refuse(eventErrors.SUBSCRIPTION_NOT_FOUND);
        // Before the commit: while the queue is down nothing is removed, and the call is repeated.
        if (unregistered) await jobs.empty(name);
        return {};
      });
      log.warn({ subscription: name, actor: callerName(caller) }, "a subscription was removed");
      return fromJson(RemoveSubscriptionResponseSchema, answer);
    },
  });
}

function ofPublisher({ subscription, topics, lag, oldestTime }: PublisherFigures): SubscriptionPart {
  return { name: subscription, topics: [...topics], lag: BigInt(lag), ...oldest(oldestTime) };
}

function ofSubscriber({ subscription, paused, waiting, dead, oldestTime }: SubscriberFigures): SubscriptionPart {
  const figures = { waiting: BigInt(waiting), lag: BigInt(waiting), deadLetters: BigInt(dead) };
  return { name: subscription, paused, ...figures, ...oldest(oldestTime) };
}

function oldest(time: Date | null) {
  return time === null ? {} : { oldestTime: timestampFromDate(time) };
}
