import type { Logger } from "@rialto/telemetry";
import type { NotificationStore } from "./store.ts";

/**
 * The text of a message, and the name and the address that it went to, are kept for so long after it was written down: long enough
 * to be sent once more when somebody asks. After that the row stays, and says what was sent to whom and when, by ids.
 */
const textRetentionMs = 30 * 24 * 3_600_000;
const sweptRowsMax = 500;

/** The schedule "forget-mail-text": empties what has been kept long enough, a little at a time. */
export function forgetMailText(app: {
  readonly notifications: NotificationStore;
  readonly log: Logger;
  now(): Date;
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const before = new Date(app.now().getTime() - textRetentionMs);
    let forgotten = 0;
    for (let rows = sweptRowsMax; rows === sweptRowsMax && !signal.aborted; forgotten += rows) {
      rows = await app.notifications.forgetText({ before, limit: sweptRowsMax });
    }
    if (forgotten > 0) app.log.info({ messages: forgotten }, "the text of old messages was removed");
  };
}
