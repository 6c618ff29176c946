import { backoffMs, type CancelSignal, forEachConcurrently, limitTime } from "@rialto/async";
import type { Handled } from "@rialto/events";
import { CallError, callErrors } from "@rialto/rpc";
import { currentSpan, type Logger, rialtoNames, runSpan } from "@rialto/telemetry";
import type { Content, Notification } from "../notification/state.ts";
import type { InboxEntry, NotificationStore } from "../notification/store.ts";
import { failureOf, isPassing, MailRefused } from "../transport/failure.ts";
import type { Mail, MailTransport } from "../transport/transport.ts";

/** The timeout of one attempt to send. */
const sendMsMax = 15_000;
/**
 * How long a sender's claim on a message lasts. It exceeds `sendMsMax`, so another sender can claim the message only
 * after a crash.
 */
const claimMs = 20_000;
/** Half of a delay is random, so that a recovering mail server does not receive everything at once. */
const retryBackoff = { delayMsMin: 1_000, delayMsMax: 60_000, jitter: "half" } as const;
/**
 * Attempts before a message is FAILED: as many as for an event (packages/events/src/inbox/subscription.ts). Outages do
 * not count.
 */
const attemptsMax = 8;
const sweptRowsMax = 200;
const sweepConcurrency = 4;

/**
 * Sends queued messages. A message is QUEUED before it is sent and SENT afterwards, and one sender at a time has a
 * claim on it. If the process crashes after the mail server has accepted the mail and before SENT is committed, the
 * mail is sent again with the same Message-ID, so the receiving side can detect the duplicate.
 *
 * During an outage, a message is retried without a limit. A message that fails without an outage becomes FAILED after
 * `attemptsMax` attempts.
 */
export interface Delivery {
  /**
   * Stores a message and sends it. Resolves once it was sent or rejected, which is stored together with the inbox row;
   * throws if it must be retried.
   */
  deliver(
    notification: Notification,
    o: { readonly inbox: InboxEntry; readonly signal: CancelSignal },
  ): Promise<Handled>;
  /** Sends a message that was stored before. Otherwise like `deliver`. */
  resume(
    notification: Notification,
    o: { readonly inbox: InboxEntry; readonly signal: CancelSignal },
  ): Promise<Handled>;
  /** Sends messages that are still queued after a crash, an outage of the mail server, or a request to resend. */
  sweep(signal: AbortSignal): Promise<void>;
}

interface Parts {
  readonly store: NotificationStore;
  readonly transport: MailTransport;
  /** Renders the parts that must not be stored, such as links. */
  readonly complete: (notification: Notification, signal: AbortSignal) => Promise<Content>;
  readonly now: () => Date;
  readonly log: Logger;
}

export function createDelivery({ store, transport, complete, now, log }: Parts): Delivery {
  /** Sends a message that the caller has claimed. */
  async function send(notification: Notification, signal: CancelSignal, inbox?: InboxEntry): Promise<void> {
    const { id, messageId, recipient } = notification;
    const limit = limitTime(sendMsMax, signal);
    try {
      const content = await complete(notification, limit.signal);
      const mail = { ...content, messageId, to: recipient, name: fileNameOf(notification) };
      await sendTraced(transport, notification, mail, limit.signal);
    } catch (error) {
      if (error instanceof MailRefused) {
        log.warn({ ...idsOf(notification), err: error }, "mail rejected");
        return store.finish(id, { state: "FAILED", lastError: error.message }, inbox);
      }
      return scheduleRetry(notification, error, { isOwnFailure: !limit.signal.aborted && !isPassing(error), inbox });
    } finally {
      limit.end();
    }
    await store.finish(id, { state: "SENT", time: now() }, inbox);
    log.debug(idsOf(notification), "mail sent");
  }

  /** Schedules the next attempt. A message that used up its attempts becomes FAILED, and an admin can resend it. */
  async function scheduleRetry(
    notification: Notification,
    error: unknown,
    { isOwnFailure, inbox }: { readonly isOwnFailure: boolean; readonly inbox: InboxEntry | undefined },
  ): Promise<void> {
    const { id, attempts, delays } = notification;
    const lastError = failureOf(error);
    if (isOwnFailure && attempts + 1 >= attemptsMax) {
      log.error({ ...idsOf(notification), attempts: attempts + 1, err: error }, "mail failed, attempts exhausted");
      return store.finish(id, { state: "FAILED", lastError }, inbox);
    }
    await store.delay(id, {
      delayMs: backoffMs((isOwnFailure ? attempts : delays) + 1, retryBackoff),
      lastError,
      isOwnFailure,
    });
    if (isOwnFailure)
      log.warn({ ...idsOf(notification), attempts: attempts + 1, err: error }, "mail failed, retry scheduled");
    throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error });
  }

  async function resume(notification: Notification, o: { inbox: InboxEntry; signal: CancelSignal }): Promise<Handled> {
    if (notification.state !== "QUEUED") return undefined;
    const claimed = await store.claim(notification.id, claimMs);
    // Another sender has claimed it, or it was just sent. The redelivered event finds out which.
    if (claimed === undefined) throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE);
    await send(claimed, o.signal, o.inbox);
    return "INBOX_WRITTEN";
  }

  return {
    async deliver(notification, o) {
      const queued = await store.queue(notification, claimMs);
      if (!queued.claimed) return resume(queued.notification, o);
      await send(queued.notification, o.signal, o.inbox);
      return "INBOX_WRITTEN";
    },
    resume,
    async sweep(signal) {
      const due = await store.listDue(sweptRowsMax);
      await forEachConcurrently(due, { max: sweepConcurrency, signal }, async (id) => {
        const claimed = await store.claim(id, claimMs);
        if (claimed === undefined) return;
        await send(claimed, signal).catch((error: unknown) => {
          log.warn({ notification: id, err: error }, "mail not sent yet");
        });
      });
    },
  };
}

/** What a line of the log names. */
function idsOf({ id, orderId, userId }: Notification) {
  return { notification: id, orderId, userId };
}

/** Sends a mail, as the work of a span where the trace of its event is recorded. The span has nothing of the mail. */
function sendTraced(
  transport: MailTransport,
  { kind, orderId }: Notification,
  mail: Mail,
  signal: AbortSignal,
): Promise<void> {
  const work = currentSpan();
  if (work === undefined) return transport.send(mail, signal);
  const attributes = { [rialtoNames.mailKind]: kind, [rialtoNames.orderId]: orderId };
  return runSpan(work.child("send mail", { kind: "client", attributes }), () => transport.send(mail, signal));
}

/** Starts with the time, so that a folder sorted by name is sorted by age. A resent message gets its own file. */
function fileNameOf({ id, createTime, resends }: Notification): string {
  const time = createTime.toISOString().replaceAll(":", "-");
  return resends === 0 ? `${time}-${id}` : `${time}-${id}-again-${resends}`;
}
