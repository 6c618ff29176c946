import { NotificationErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the notification service refuses a request with. */
export const errors = defineErrors(NotificationErrorReason, "notification", {
  NOTIFICATION_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "The message does not exist.",
    client: "Check the id. ListNotifications lists the messages of a customer or an order.",
    operator: "Nothing.",
  },
  NOTIFICATION_TEXT_GONE: {
    code: "failed_precondition",
    retryable: false,
    message: "The message is too old to be resent: its text was removed.",
    client: "It cannot be resent.",
    operator: "Nothing. docs/reliability.md states how long the text is kept.",
  },
  NOTIFICATION_NOT_SENT_YET: {
    code: "failed_precondition",
    retryable: false,
    message: "The message is already queued.",
    client: "Wait until it is sent. List it again to see its state.",
    operator: "If it stays queued, check the mail server. last_error of the message has its last answer.",
  },
});
