import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  Notification_Kind,
  Notification_State,
  type Notification as NotificationMessage,
  NotificationSchema,
} from "@rialto/contracts";
import type { Notification } from "./state.ts";

/** The message as callers see it, without its text and its address. */
export function messageOf(notification: Notification): NotificationMessage {
  const { id, userId, orderId, kind, state, content, messageId, lastError, createTime, sendTime } = notification;
  return create(NotificationSchema, {
    id,
    userId,
    kind: Notification_Kind[kind],
    state: Notification_State[state],
    orderId: orderId ?? "",
    subject: content.subject,
    messageId,
    lastError,
    createTime: timestampFromDate(createTime),
    ...(sendTime === undefined ? {} : { sendTime: timestampFromDate(sendTime) }),
  });
}
