import { create, fromJson, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  DeadLetterSchema,
  DeadLetterService,
  DiscardDeadLetterResponseSchema,
  RetryAllDeadLettersResponseSchema,
  RetryDeadLetterResponseSchema,
} from "@rialto/contracts";
import { type Database, once, recordAudit, type Sql, type Transaction } from "@rialto/database";
import {
  type DeadLetter,
  discardDeadLetter,
  listDeadLetters,
  readDeadLetter,
  retryDeadLetters,
  type Subscription,
} from "@rialto/events";
import { auditOf, type CallContext, CallError, callerName, messageSize, page, type Route, serve } from "@rialto/rpc";
import { eventErrors } from "./errors.ts";

/** The sort keys of dead letters in a list: the event's id, then the subscription's name. */
export const deadLetterKeys = [
  (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text),
  (text: string) => /^[a-z][a-z0-9-]{0,49}$/.test(text),
] as const;

export const deadLetterBytes = messageSize(DeadLetterSchema);

/** Serves the dead letters of this service's subscriptions. */
export function deadLetterRoute({
  database: { sql },
  subscriptions,
  audits = false,
}: {
  readonly database: Pick<Database, "sql">;
  readonly subscriptions: readonly Subscription[];
  /** Whether the schema has an audit log. */
  readonly audits?: boolean;
}): Route {
  /** Writes the new state of dead letters to the audit log. */
  async function audit(tx: Transaction, ctx: CallContext, subject: string, after: string): Promise<void> {
    if (!audits) return;
    await recordAudit(tx, auditOf(ctx, { subject, changes: [{ field: "state", before: "DEAD", after }] }));
  }

  const known = async (name: string) => await requireKnown(sql, subscriptions, name);
  return serve(DeadLetterService, {
    async listDeadLetters(request) {
      const subscription = request.subscription === "" ? undefined : request.subscription;
      if (subscription !== undefined) await known(subscription);
      const filter = { subscription };
      const { messages, nextPageToken } = await page(request, {
        filter,
        sortKeys: deadLetterKeys,
        read: ({ after: row, limit }) => {
          const after = row && { eventId: row[0], subscription: row[1] };
          return listDeadLetters(sql, { subscription, after, limit });
        },
        keysOf: ({ eventId, subscription }) => [eventId, subscription],
        messageOf,
        bytesOf: deadLetterBytes,
      });
      return { deadLetters: messages, nextPageToken };
    },

    async getDeadLetter(key) {
      await known(key.subscription);
      const letter = await readDeadLetter(sql, key);
      if (letter === undefined) throw new CallError(eventErrors.DEAD_LETTER_NOT_FOUND);
      return { deadLetter: messageOf(letter) };
    },

    async retryDeadLetter({ subscription, eventId }, ctx) {
      await known(subscription);
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        const retried = await retryDeadLetters(tx, { subscription, eventId });
        if (retried === 0) throw new CallError(eventErrors.DEAD_LETTER_NOT_FOUND);
        await audit(tx, ctx, `dead-letter:${subscription}/${eventId}`, "RETRY");
        return {};
      });
      ctx.log.info({ subscription, event: eventId, actor: callerName(ctx.caller) }, "dead letter retried");
      return fromJson(RetryDeadLetterResponseSchema, answer);
    },

    async retryAllDeadLetters({ subscription }, ctx) {
      await known(subscription);
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        const retried = await retryDeadLetters(tx, { subscription });
        if (retried > 0) await audit(tx, ctx, `subscription:${subscription}`, `RETRY of ${retried}`);
        return toJson(RetryAllDeadLettersResponseSchema, create(RetryAllDeadLettersResponseSchema, { retried }));
      });
      const response = fromJson(RetryAllDeadLettersResponseSchema, answer);
      const actor = callerName(ctx.caller);
      ctx.log.info({ subscription, retried: response.retried, actor }, "all dead letters of a subscription retried");
      return response;
    },

    async discardDeadLetter({ subscription, eventId, reason }, ctx) {
      await known(subscription);
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        const discarded = await discardDeadLetter(tx, { subscription, eventId });
        if (!discarded) throw new CallError(eventErrors.DEAD_LETTER_NOT_FOUND);
        await audit(tx, ctx, `dead-letter:${subscription}/${eventId}`, "DISCARDED");
        return {};
      });
      const actor = callerName(ctx.caller);
      ctx.log.warn({ subscription, event: eventId, reason, actor }, "dead letter discarded");
      return fromJson(DiscardDeadLetterResponseSchema, answer);
    },
  });
}

/** Refuses a name that this process does not run as a subscription and has no pending events of. */
async function requireKnown(sql: Sql, subscriptions: readonly Subscription[], name: string): Promise<void> {
  if (subscriptions.some((subscription) => subscription.name === name)) return;
  const [kept] = await sql`select 1 as kept from inbox_pending where subscription = ${name} limit 1`;
  if (kept === undefined) throw new CallError(eventErrors.SUBSCRIPTION_NOT_FOUND);
}

function messageOf(letter: DeadLetter): MessageInitShape<typeof DeadLetterSchema> {
  const { subscription, eventId, topic, subject, version, attempts, payload, lastError, traceparent } = letter;
  return {
    subscription,
    eventId,
    topic,
    subject,
    version,
    attempts,
    payload,
    error: lastError,
    // 00-<trace id>-<span id>-<flags>
    traceId: traceparent.split("-")[1] ?? "",
    eventTime: timestampFromDate(letter.eventTime),
    firstFailureTime: timestampFromDate(letter.createTime),
    lastFailureTime: timestampFromDate(letter.updateTime),
  };
}
