import { OrderErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the order service refuses with, in order of precedence. docs/errors.md is generated from it. */
export const errors = defineErrors(OrderErrorReason, "order", {
  CUSTOMER_UNKNOWN: {
    code: "failed_precondition",
    retryable: false,
    message: "The account that orders does not exist any more.",
    client: "Sign in again with an account that exists.",
    operator: "Nothing, unless accounts were removed by mistake.",
  },
  EMAIL_UNCONFIRMED: {
    code: "failed_precondition",
    retryable: false,
    message: "The e-mail address of the account is not confirmed yet.",
    client:
      "Ask its owner to open the link of the mail, offer another mail (RequestEmailConfirmation), then refresh the access token.",
    operator: "Nothing. RIALTO_REQUIRE_CONFIRMED_EMAIL asks for it.",
  },
  PRODUCT_UNAVAILABLE: {
    code: "failed_precondition",
    retryable: false,
    message: "A product is unknown or not on sale.",
    client: "Take the items that the error's fields name out of the cart, or choose others.",
    operator: "Nothing. If the product should be on sale, set it active.",
  },
  CURRENCY_MIXED: {
    code: "failed_precondition",
    retryable: false,
    message: "The prices are in more than one currency.",
    client: "Place one order for each currency. The error's fields name the items that differ from the first.",
    operator: "Nothing. If one catalog should have one currency, mend the prices.",
  },
  TOTAL_TOO_LARGE: {
    code: "failed_precondition",
    retryable: false,
    message: "The total is more than an order may cost.",
    client: "Split the order.",
    operator: "Nothing.",
  },
  TOTAL_CHANGED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order would cost something else than the customer was shown.",
    client:
      "Show the customer the new total, which the metadata has as total_currency_code and total_minor_units, and ask again. The corrected order takes a new key.",
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
    message: "The order is rejected, cancelled or delivered: nothing can happen to it any more.",
    client: "Read the order to see how it ended. For a delivered one, ask for a refund.",
    operator: "Nothing.",
  },
  ORDER_SHIPPED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order was shipped: it can be refunded, not cancelled.",
    client: "Ask for a refund.",
    operator: "Refund the order's payment where that is due.",
  },
  ORDER_NOT_CONFIRMED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order is not confirmed yet.",
    client: "Watch the order, and ship it once it is CONFIRMED.",
    operator: "If it stays so, see whether the product and the payment service are up.",
  },
  ORDER_NOT_SHIPPED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order was not shipped.",
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
