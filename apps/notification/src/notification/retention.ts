import type { Logger } from "@rialto/telemetry";
import type { NotificationStore } from "./store.ts";

/**
 * How long the text and the recipient of a message are kept, so that it can be resent. After that, only the row
 * remains: what was sent to whom and when, by id.
 */
const textRetentionMs = 30 * 24 * 3_600_000;
const sweptRowsMax = 500;

/** The schedule "forget-mail-text": clears text and recipients past their retention, in batches. */
export function forgetMailText(app: {
  readonly notifications: NotificationStore;
  readonly log: Logger;
  now(): Date;
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const before = new Date(app.now().getTime() - textRetentionMs);
    let removed = 0;
    for (let rows = sweptRowsMax; rows === sweptRowsMax && !signal.aborted; removed += rows) {
      rows = await app.notifications.forgetText({ before, limit: sweptRowsMax });
    }
    if (removed > 0) app.log.info({ messages: removed }, "mail text removed after retention");
  };
}
