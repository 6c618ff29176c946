import { EventsErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** The error reasons of commands on subscriptions and dead letters. */
export const eventErrors = defineErrors(EventsErrorReason, "events", {
  SUBSCRIPTION_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "No service runs or keeps anything for a subscription of that name.",
    client: "Check the name. ListSubscriptions has all of them.",
    operator: "Nothing.",
  },
  SUBSCRIPTION_IN_USE: {
    code: "failed_precondition",
    retryable: false,
    message: "A service takes the subscription's events at this moment.",
    client: "Pause the subscription, then remove it.",
    operator: "Nothing.",
  },
  DEAD_LETTER_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "The subscription has given up no such event, or not any more.",
    client: "List the dead letters again: it may have been tried or discarded meanwhile.",
    operator: "Nothing.",
  },
});
