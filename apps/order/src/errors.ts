import { OrderErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** The reasons of the order service's errors, in order of precedence. docs/errors.md is generated from them. */
export const errors = defineErrors(OrderErrorReason, "order", {
  CUSTOMER_UNKNOWN: {
    code: "failed_precondition",
    retryable: false,
    message: "The customer's account no longer exists.",
    client: "Sign in again with an account that exists.",
    operator: "Nothing, unless accounts were removed by mistake.",
  },
  EMAIL_UNCONFIRMED: {
    code: "failed_precondition",
    retryable: false,
    message: "The account's e-mail address is not confirmed yet.",
    client:
      "Ask the customer to open the link in the e-mail, offer to send another one (RequestEmailConfirmation), then refresh the access token.",
    operator: "Nothing. RIALTO_REQUIRE_CONFIRMED_EMAIL asks for it.",
  },
  PRODUCT_UNAVAILABLE: {
    code: "failed_precondition",
    retryable: false,
    message: "A product is unknown or not on sale.",
    client: "Remove the items that the error's fields name from the cart, or choose others.",
    operator: "Nothing. If the product should be on sale, set it active.",
  },
  CURRENCY_MIXED: {
    code: "failed_precondition",
    retryable: false,
    message: "The prices are in more than one currency.",
    client: "Place one order for each currency. The error's fields name the items that differ from the first.",
    operator: "Nothing. If one catalog should have one currency, fix the prices.",
  },
  TOTAL_TOO_LARGE: {
    code: "failed_precondition",
    retryable: false,
    message: "The total is too large for one order.",
    client: "Split the order.",
    operator: "Nothing.",
  },
  TOTAL_CHANGED: {
    code: "failed_precondition",
    retryable: false,
    message: "The total differs from the one that the customer was shown.",
    client:
      "Show the customer the new total, which is in the metadata as total_currency_code and total_minor_units, and ask again. The corrected order needs a new key.",
    operator: "Nothing.",
  },
  ORDER_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "There is no such order.",
    client: "Check the id. Another customer's order is not found either.",
    operator: "Nothing.",
  },
  ORDER_CLOSED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order is rejected, cancelled or delivered: it cannot change any more.",
    client: "Read the order to see how it ended. For a delivered one, ask for a refund.",
    operator: "Nothing.",
  },
  ORDER_SHIPPED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order has been shipped: it can be refunded, not cancelled.",
    client: "Ask for a refund.",
    operator: "Refund the order's payment where that is due.",
  },
  ORDER_NOT_CONFIRMED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order is not confirmed yet.",
    client: "Watch the order, and ship it once it is CONFIRMED.",
    operator: "If that does not change, check that the product and the payment service are up.",
  },
  ORDER_NOT_SHIPPED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order has not been shipped.",
    client: "Ship it first.",
    operator: "Nothing.",
  },
  SHIPPING_REQUESTED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order is being shipped: it cannot be cancelled.",
    client: "Ask for a refund once it is shipped.",
    operator: "If it waits for a person, cancel it as an admin or ship it again.",
  },
  CANCELLATION_REQUESTED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order is being cancelled: it cannot be shipped.",
    client: "Place a new order.",
    operator: "Nothing. If it waits for a person, cancel it again as an admin.",
  },
});
