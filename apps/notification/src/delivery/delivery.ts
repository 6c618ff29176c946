import { callErrors, refuse } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { Content, Notification } from "../notification/state.ts";
import type { InboxEntry, NotificationStore } from "../notification/store.ts";
import { failureOf, isPassing, MailRefused } from "../transport/failure.ts";
import type { MailTransport } from "../transport/transport.ts";

/** How long one attempt may take. */
const sendMsMax = 15_000;
/** How long a message is held by whoever sends it. Longer than an attempt: another sender comes only after a crash. */
const holdMs = 20_000;
const delayMsMin = 1_000;
const delayMsMax = 60_000;
/** How often a message may fail by itself before it waits for a person: as often as an event (packages/events/src/inbox/subscription.ts). */
const attemptsMax = 8;
const sweptRowsMax = 200;
const sweptAtOnceMax = 4;

/**
 * Sends what is queued. A message is QUEUED before it is sent and SENT after it, and held by one sender at a time. Where the process
 * dies between the mail server's yes and the commit of SENT, the mail is sent once more: with the same Message-ID, by which the
 * receiving side knows it as the same.
 *
 * Something that is down is waited for, for as long as it takes. A message that fails by itself, with nothing down, is FAILED after some tries.
 */
export interface Delivery {
  /** Writes a message down and sends it. Resolves when it was sent or refused for good; throws where it has to be tried later. */
  deliver(notification: Notification, o: { readonly inbox: InboxEntry; readonly signal: AbortSignal }): Promise<void>;
  /** Goes on with a message that was written down before; the same otherwise. */
  resume(notification: Notification, o: { readonly inbox: InboxEntry; readonly signal: AbortSignal }): Promise<void>;
  /** Sends what was left queued: by a process that died, by a mail server that was down, or by a request to send again. */
  sweep(signal: AbortSignal): Promise<void>;
}

interface Parts {
  readonly store: NotificationStore;
  readonly transport: MailTransport;
  /** Completes what a mail says with what may be in the mail only. */
  readonly complete: (notification: Notification, signal: AbortSignal) => Promise<Content>;
  readonly now: () => Date;
  readonly log: Logger;
}

export function createDelivery({ store, transport, complete, now, log }: Parts): Delivery {
  /** Sends a message that the caller holds. */
  async function send(notification: Notification, signal: AbortSignal, inbox?: InboxEntry): Promise<void> {
    const { id, messageId, recipient } = notification;
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(sendMsMax)]);
    try {
      const content = await complete(notification, inTime);
      await transport.send({ ...content, messageId, to: recipient, name: fileNameOf(notification) }, inTime);
    } catch (error) {
      if (error instanceof MailRefused) {
        log.warn({ notification: id, err: error }, "a mail was refused for good");
        return store.finish(id, { state: "FAILED", lastError: error.message }, inbox);
      }
      return putOff(notification, error, { isOwn: !inTime.aborted && !isPassing(error), inbox });
    }
    await store.finish(id, { state: "SENT", time: now() }, inbox);
  }

  /**
   * Lets the message wait for its next try. What fails by itself ends after some tries: FAILED, where an admin finds it and has it sent once more.
   */
  async function putOff(
    { id, attempts, delays }: Notification,
    error: unknown,
    { isOwn, inbox }: { readonly isOwn: boolean; readonly inbox: InboxEntry | undefined },
  ): Promise<void> {
    const lastError = failureOf(error);
    if (isOwn && attempts + 1 >= attemptsMax) {
      log.error(
        { notification: id, attempts: attempts + 1, err: error },
        "a mail failed too often and waits for a person",
      );
      return store.finish(id, { state: "FAILED", lastError }, inbox);
    }
    await store.delay(id, { delayMs: delayOf(isOwn ? attempts : delays), lastError, isOwn });
    if (isOwn) log.warn({ notification: id, attempts: attempts + 1, err: error }, "a mail failed, trying again");
    throw refuse(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error });
  }

  async function resume(notification: Notification, o: { inbox: InboxEntry; signal: AbortSignal }): Promise<void> {
    if (notification.state !== "QUEUED") return;
    const held = await store.hold(notification.id, holdMs);
    if (held !== undefined) return send(held, o.signal, o.inbox);
    // Somebody else is at it, or it has just been sent. The event comes again and finds out which.
    throw refuse(callErrors.TEMPORARILY_UNAVAILABLE);
  }

  return {
    async deliver(notification, o) {
      const queued = await store.queue(notification, holdMs);
      if (queued.held) await send(queued.notification, o.signal, o.inbox);
      else await resume(queued.notification, o);
    },
    resume,
    async sweep(signal) {
      const waiting = [...(await store.waiting(sweptRowsMax))];
      const work = async () => {
        for (let id = waiting.shift(); id !== undefined && !signal.aborted; id = waiting.shift()) {
          const held = await store.hold(id, holdMs);
          if (held === undefined) continue;
          await send(held, signal).catch((error: unknown) => {
            log.warn({ notification: id, err: error }, "a mail could not be sent yet");
          });
        }
      };
      await Promise.all(Array.from({ length: sweptAtOnceMax }, work));
    },
  };
}

/** Full jitter under a bound that doubles: a mail server that comes back is not met by all at once. */
function delayOf(delays: number): number {
  const bound = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(delays, 10));
  return Math.round(bound * (0.5 + Math.random() / 2));
}

/** By time, then by id: a folder sorted by name is sorted by age. What was asked for again is a file of its own. */
function fileNameOf({ id, createTime, resends }: Notification): string {
  const time = createTime.toISOString().replaceAll(":", "-");
  return resends === 0 ? `${time}-${id}` : `${time}-${id}-again-${resends}`;
}
