import { DeadLetterService, SubscriptionService } from "@rialto/contracts";
import {
  type CallContext,
  type CallOptions,
  type Client,
  createEndpoint,
  type Endpoint,
  pageFrom,
  pageOf,
  refuse,
  serve,
  type TokenVerifier,
} from "@rialto/rpc";
import { deadLetterBytes, deadLetterKeys, eventErrors, mergeSubscriptions } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import { askAll, notFound, onBehalfOf } from "./ask-services.ts";
import { mergePages } from "./merge-pages.ts";

/** The domain whose methods the gateway answers itself. It names the door as services are named: the audience of the gateway's token. */
export const eventsDoorName = "events";

/** What one service behind keeps of events: its subscriptions' dead letters, and who is registered with it. */
export interface EventKeeper {
  readonly service: string;
  readonly deadLetters: Client<typeof DeadLetterService>;
  readonly subscriptions: Client<typeof SubscriptionService>;
}

/**
 * The one door to what every service keeps of events. A subscription is addressed by its name alone: all services are asked, the one that keeps it
 * answers, and the others say that they know none of that name. The admin's own token travels on, so each service decides again who may.
 *
 * A list is put together from all of them. All order it by the same keys, so a page token is good with each. A service that is down is named in the
 * answer, which has what the others keep: that is when such a list is needed most.
 */
export function createEventsDoor(o: {
  readonly keepers: readonly EventKeeper[];
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const { keepers, verifier, log } = o;
  // Keys are kept by the services; the fingerprint that is made here is never stored.
  const fingerprintKey = eventsDoorName;
  const routes = [serve(DeadLetterService, deadLetters(keepers)), serve(SubscriptionService, subscriptions(keepers))];
  return createEndpoint({ service: eventsDoorName, routes, verifier, fingerprintKey, log });
}

function deadLetters(keepers: readonly EventKeeper[]): Parameters<typeof serve<typeof DeadLetterService>>[1] {
  return {
    async listDeadLetters(request, ctx) {
      const filter = { subscription: request.subscription === "" ? undefined : request.subscription };
      const { limit } = pageOf(request, filter, deadLetterKeys);
      const asked = await askAll(keepers, ({ deadLetters }) => deadLetters.listDeadLetters(request, onBehalfOf(ctx)));
      if (filter.subscription !== undefined) asked.requireOne();
      const pages = asked.answers.map(({ deadLetters: rows, nextPageToken }) => ({ rows, nextPageToken }));
      const { rows, hasMore } = mergePages(pages, byEventThenSubscription);
      const page = pageFrom(rows, {
        ...{ limit, filter, hasMore, bytesOf: deadLetterBytes },
        keysOf: ({ eventId, subscription }) => [eventId, subscription],
        messageOf: (letter) => letter,
      });
      return {
        deadLetters: page.messages,
        nextPageToken: page.nextPageToken,
        unreachableServices: [...asked.unreachable],
      };
    },

    async getDeadLetter(request, ctx) {
      const asked = await askAll(keepers, ({ deadLetters }) => deadLetters.getDeadLetter(request, onBehalfOf(ctx)));
      return asked.requireOne();
    },

    async retryDeadLetter(request, ctx) {
      const key = keyOf(ctx);
      const asked = await askAll(keepers, ({ deadLetters }) =>
        deadLetters.retryDeadLetter(request, onBehalfOf(ctx), key),
      );
      return asked.requireOne();
    },

    async retryAllDeadLetters(request, ctx) {
      const key = keyOf(ctx);
      const asked = await askAll(keepers, ({ deadLetters }) =>
        deadLetters.retryAllDeadLetters(request, onBehalfOf(ctx), key),
      );
      asked.requireOne();
      return { retried: asked.answers.reduce((sum, { retried }) => sum + retried, 0) };
    },

    async discardDeadLetter(request, ctx) {
      const key = keyOf(ctx);
      const asked = await askAll(keepers, ({ deadLetters }) =>
        deadLetters.discardDeadLetter(request, onBehalfOf(ctx), key),
      );
      return asked.requireOne();
    },
  };
}

function subscriptions(keepers: readonly EventKeeper[]): Parameters<typeof serve<typeof SubscriptionService>>[1] {
  const list = (ctx: CallContext) =>
    askAll(keepers, ({ subscriptions }) => subscriptions.listSubscriptions({}, onBehalfOf(ctx)));
  return {
    async listSubscriptions(_request, ctx) {
      const { answers, unreachable } = await list(ctx);
      const parts = answers.flatMap((answer) => answer.subscriptions);
      return { subscriptions: mergeSubscriptions(parts, ctx.now), unreachableServices: [...unreachable] };
    },

    async pauseSubscription(request, ctx) {
      const key = keyOf(ctx);
      const asked = await askAll(keepers, ({ subscriptions }) =>
        subscriptions.pauseSubscription(request, onBehalfOf(ctx), key),
      );
      return asked.requireOne();
    },

    async resumeSubscription(request, ctx) {
      const key = keyOf(ctx);
      const asked = await askAll(keepers, ({ subscriptions }) =>
        subscriptions.resumeSubscription(request, onBehalfOf(ctx), key),
      );
      return asked.requireOne();
    },

    /**
     * Whoever runs it comes last: while its pause is in force nothing is taken, until there is nothing left to take. Idempotency keys are not passed on:
     * to remove what is gone is to be told that it is gone.
     */
    async removeSubscription({ name }, ctx) {
      const { answers } = await list(ctx);
      const here = answers.flatMap((answer) => answer.subscriptions).filter((part) => part.name === name);
      const subscriber = here.find((part) => part.subscriber !== "");
      if (subscriber !== undefined && !subscriber.paused) throw refuse(eventErrors.SUBSCRIPTION_IN_USE);
      const runsIt = ({ service }: EventKeeper) => service === subscriber?.subscriber;
      const remove = (some: readonly EventKeeper[]) =>
        askAll(some, ({ subscriptions }) => subscriptions.removeSubscription({ name }, onBehalfOf(ctx)));
      const others = await remove(keepers.filter((keeper) => !runsIt(keeper)));
      const last = await remove(keepers.filter(runsIt));
      const unreachable = [...others.unreachable, ...last.unreachable];
      if (others.answers.length + last.answers.length === 0) notFound(unreachable);
      return { unreachableServices: unreachable };
    },
  };
}

/** The client's key, for the service that does the work under it. */
function keyOf({ idempotencyKey }: CallContext): CallOptions {
  return idempotencyKey === undefined ? {} : { idempotencyKey: idempotencyKey.key };
}

function byEventThenSubscription(
  one: { readonly eventId: string; readonly subscription: string },
  other: { readonly eventId: string; readonly subscription: string },
): number {
  const keys = ({ eventId, subscription }: typeof one) => `${eventId} ${subscription}`;
  if (keys(one) === keys(other)) return 0;
  return keys(one) < keys(other) ? -1 : 1;
}
