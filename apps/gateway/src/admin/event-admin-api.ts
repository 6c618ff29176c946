import { DeadLetterService, SubscriptionService } from "@rialto/contracts";
import {
  type CallContext,
  CallError,
  type CallOptions,
  createEndpoint,
  type Endpoint,
  page,
  serve,
  type TokenVerifier,
} from "@rialto/rpc";
import { deadLetterBytes, deadLetterKeys, eventErrors, mergeSubscriptions } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import type { EventBackend } from "./backends.ts";
import { callAll, mergePages, notFound, onBehalfOf } from "./fan-out.ts";

/** The service name of the event admin API: its domain in the contract, and the audience of tokens for it. */
export const eventAdminApiName = "events";

/**
 * Serves subscriptions and dead letters of all services. A subscription is addressed by its name alone: every service
 * is called, the one that has it responds, and the others refuse with SUBSCRIPTION_NOT_FOUND. Calls carry the admin's
 * identity, so each service applies its access policy again.
 *
 * Lists are merged from all services. All order them by the same keys, so one page token is valid with each of them.
 * The response names the services that did not respond, and has what the others returned: an outage is when these lists
 * are needed most.
 */
export function createEventAdminApi(o: {
  readonly backends: readonly EventBackend[];
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const { backends, verifier, log } = o;
  // The services store idempotency keys, the gateway does not, so the key of their fingerprint does not matter here.
  const fingerprintKey = eventAdminApiName;
  const routes = [serve(DeadLetterService, deadLetters(backends)), serve(SubscriptionService, subscriptions(backends))];
  return createEndpoint({ service: eventAdminApiName, routes, verifier, fingerprintKey, log });
}

function deadLetters(backends: readonly EventBackend[]): Parameters<typeof serve<typeof DeadLetterService>>[1] {
  return {
    async listDeadLetters(request, ctx) {
      const filter = { subscription: request.subscription === "" ? undefined : request.subscription };
      const unreachableServices: string[] = [];
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: deadLetterKeys,
        read: async () => {
          const responses = await callAll(backends, ({ deadLetters }) =>
            deadLetters.listDeadLetters(request, onBehalfOf(ctx)),
          );
          if (filter.subscription !== undefined) responses.requireOne();
          unreachableServices.push(...responses.unreachable);
          const pages = responses.all.map(({ deadLetters: rows, nextPageToken }) => ({ rows, nextPageToken }));
          return mergePages(pages, byEventThenSubscription);
        },
        keysOf: ({ eventId, subscription }) => [eventId, subscription],
        messageOf: (deadLetter) => deadLetter,
        bytesOf: deadLetterBytes,
      });
      return { deadLetters: messages, nextPageToken, unreachableServices };
    },

    async getDeadLetter(request, ctx) {
      const responses = await callAll(backends, ({ deadLetters }) =>
        deadLetters.getDeadLetter(request, onBehalfOf(ctx)),
      );
      return responses.requireOne();
    },

    async retryDeadLetter(request, ctx) {
      const key = keyOf(ctx);
      const responses = await callAll(backends, ({ deadLetters }) =>
        deadLetters.retryDeadLetter(request, onBehalfOf(ctx), key),
      );
      return responses.requireOne();
    },

    async retryAllDeadLetters(request, ctx) {
      const key = keyOf(ctx);
      const responses = await callAll(backends, ({ deadLetters }) =>
        deadLetters.retryAllDeadLetters(request, onBehalfOf(ctx), key),
      );
      responses.requireOne();
      return { retried: responses.all.reduce((sum, { retried }) => sum + retried, 0) };
    },

    async discardDeadLetter(request, ctx) {
      const key = keyOf(ctx);
      const responses = await callAll(backends, ({ deadLetters }) =>
        deadLetters.discardDeadLetter(request, onBehalfOf(ctx), key),
      );
      return responses.requireOne();
    },
  };
}

function subscriptions(backends: readonly EventBackend[]): Parameters<typeof serve<typeof SubscriptionService>>[1] {
  const list = (ctx: CallContext) =>
    callAll(backends, ({ subscriptions }) => subscriptions.listSubscriptions({}, onBehalfOf(ctx)));
  return {
    async listSubscriptions(_request, ctx) {
      const { all, unreachable } = await list(ctx);
      const parts = all.flatMap((response) => response.subscriptions);
      return { subscriptions: mergeSubscriptions(parts, ctx.now), unreachableServices: [...unreachable] };
    },

    async pauseSubscription(request, ctx) {
      const key = keyOf(ctx);
      const responses = await callAll(backends, ({ subscriptions }) =>
        subscriptions.pauseSubscription(request, onBehalfOf(ctx), key),
      );
      return responses.requireOne();
    },

    async resumeSubscription(request, ctx) {
      const key = keyOf(ctx);
      const responses = await callAll(backends, ({ subscriptions }) =>
        subscriptions.resumeSubscription(request, onBehalfOf(ctx), key),
      );
      return responses.requireOne();
    },

    /**
     * Removes a paused subscription: first at its publishers, last at its subscriber, whose pause keeps events from
     * being consumed meanwhile. Idempotency keys are not passed on: a repeated removal responds with
     * SUBSCRIPTION_NOT_FOUND.
     */
    async removeSubscription({ name }, ctx) {
      const { all } = await list(ctx);
      const here = all.flatMap((response) => response.subscriptions).filter((part) => part.name === name);
      const subscriber = here.find((part) => part.subscriber !== "");
      if (subscriber !== undefined && !subscriber.paused) throw new CallError(eventErrors.SUBSCRIPTION_IN_USE);
      const runsIt = ({ service }: EventBackend) => service === subscriber?.subscriber;
      const remove = (some: readonly EventBackend[]) =>
        callAll(some, ({ subscriptions }) => subscriptions.removeSubscription({ name }, onBehalfOf(ctx)));
      const others = await remove(backends.filter((backend) => !runsIt(backend)));
      const last = await remove(backends.filter(runsIt));
      const unreachable = [...others.unreachable, ...last.unreachable];
      if (others.all.length + last.all.length === 0) notFound(unreachable);
      return { unreachableServices: unreachable };
    },
  };
}

/** Returns the client's idempotency key, for the service that does the work. */
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
