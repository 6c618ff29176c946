import type { Notification, NotificationKind } from "./state.ts";

/** A message as its row has it. */
export interface NotificationRow {
  readonly id: string;
  readonly event_id: string;
  readonly user_id: string;
  readonly order_id: string | null;
  readonly reset_id: string | null;
  readonly confirmation_id: string | null;
  readonly kind: NotificationKind;
  readonly state: Notification["state"];
  readonly recipient_name: string;
  readonly recipient_address: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly message_id: string;
  readonly last_error: string;
  readonly delays: number;
  readonly attempts: number;
  readonly resends: number;
  readonly create_time: Date;
  readonly send_time: Date | null;
}

/** Reads a message from its row. */
export function notificationOf(row: NotificationRow): Notification {
  return {
    id: row.id,
    eventId: row.event_id,
    userId: row.user_id,
    orderId: row.order_id ?? undefined,
    resetId: row.reset_id ?? undefined,
    confirmationId: row.confirmation_id ?? undefined,
    kind: row.kind,
    state: row.state,
    recipient: { name: row.recipient_name, address: row.recipient_address },
    content: { subject: row.subject, text: row.text, html: row.html },
    messageId: row.message_id,
    lastError: row.last_error,
    delays: row.delays,
    attempts: row.attempts,
    resends: row.resends,
    createTime: row.create_time,
    sendTime: row.send_time ?? undefined,
  };
}
