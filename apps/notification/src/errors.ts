import { NotificationErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the notification service can refuse with. */
export const errors = defineErrors(NotificationErrorReason, "notification", {
  NOTIFICATION_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "There is no such message.",
    client: "Check the id. ListNotifications has the messages of a person or an order.",
    operator: "Nothing.",
  },
  NOTIFICATION_TEXT_GONE: {
    code: "failed_precondition",
    retryable: false,
    message: "The message was sent long ago: its text is not kept any more.",
    client: "Nothing: it cannot be sent again as it was.",
    operator: "Nothing. docs/reliability.md says how long the text is kept.",
  },
  NOTIFICATION_NOT_SENT_YET: {
    code: "failed_precondition",
    retryable: false,
    message: "The message waits to be sent already.",
    client: "Wait: it is sent by itself. Read it again to see whether it was.",
    operator: "If it waits for long: look at the mail server. last_error of the message says what it answered.",
  },
});
