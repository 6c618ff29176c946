import { PaymentErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** The reasons of the payment service's errors. docs/errors.md is generated from them. */
export const errors = defineErrors(PaymentErrorReason, "payment", {
  REFUND_KEY_REQUIRED: {
    code: "invalid_argument",
    retryable: false,
    message: "A refund of an amount needs the header Idempotency-Key: without one, a repetition would refund it again.",
    client:
      "Send a new UUID with each refund, and the same one when it is repeated. All that is left needs no key: leave the amount out.",
    operator: "Nothing.",
  },
  PAYMENT_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "There is no such payment.",
    client: "Check the id. A payment exists once its order asks for an authorization.",
    operator: "Nothing, unless many come from one caller: it may be guessing ids.",
  },
  PAYMENT_MISMATCH: {
    code: "failed_precondition",
    retryable: false,
    message: "The request differs from the payment in amount, currency, customer or payment method.",
    client: "Read the payment and ask with its own figures. One order has one payment.",
    operator:
      "From the order service it is a defect: an order changed its total after it had asked for the money. The order waits for a person (attention COMPENSATION_FAILED).",
  },
  PAYMENT_VOIDED: {
    code: "failed_precondition",
    retryable: false,
    message: "The payment was voided.",
    client: "Place a new order.",
    operator: "Nothing: the order was cancelled, perhaps before the card was authorized.",
  },
  PAYMENT_DECLINED: {
    code: "failed_precondition",
    retryable: false,
    message: "The card was declined.",
    client:
      "Explain decline_code from the error's metadata to the customer, who may choose another card in a new order.",
    operator: "Nothing, unless the share of declined cards rises: then ask the provider.",
  },
  PAYMENT_CAPTURED: {
    code: "failed_precondition",
    retryable: false,
    message: "The payment was captured: it can be refunded, not voided.",
    client: "Ask for a refund.",
    operator: "Nothing.",
  },
  VOID_REFUSED: {
    code: "failed_precondition",
    retryable: false,
    message: "The card network refused to void an authorization whose outcome is unknown.",
    client: "A person decides: ask the card network, then cancel the order again.",
    operator:
      "The order waits for a person (attention COMPENSATION_FAILED). Ask the provider for the outcome of the authorization, and for the reason in decline_code.",
  },
  PAYMENT_NOT_CAPTURED: {
    code: "failed_precondition",
    retryable: false,
    message: "Nothing was captured, so there is nothing to refund.",
    client: "Cancel the order instead, or wait until it has been shipped.",
    operator: "Nothing.",
  },
  REFUND_TOO_LARGE: {
    code: "failed_precondition",
    retryable: false,
    message: "The refund is more than what is left of the captured amount.",
    client: "Read the payment: at most captured minus refunded can be refunded.",
    operator: "Nothing.",
  },
  CAPTURE_REFUSED: {
    code: "failed_precondition",
    retryable: false,
    message: "The card network refused to capture what it had authorized.",
    client: "A person decides: ship the order again, which tries once more, or cancel it.",
    operator: "The order waits for a person. Ask the provider for the reason in decline_code.",
  },
  AUTHORIZATION_EXPIRED: {
    code: "failed_precondition",
    retryable: false,
    message: "The authorization expired before it was captured.",
    client: "Cancel the order; the customer places a new one.",
    operator: "Ship before the provider's authorizations expire.",
  },
  REFUND_REFUSED: {
    code: "failed_precondition",
    retryable: false,
    message: "The card network refused the refund.",
    client: "Return the money in another way. The payment is unchanged.",
    operator:
      "Ask the provider for the reason in decline_code; compare the payment with the provider's ledger. One that was refused after its caller had left is listed with attention.",
  },
  PROVIDER_UNAVAILABLE: {
    code: "unavailable",
    retryable: true,
    message: "The card network did not answer in time.",
    client:
      "Repeat the request, with the same Idempotency-Key where there was one: it has one effect. Without one, a refund of all that is left answers REFUND_TOO_LARGE once it was made.",
    operator: "Check the provider's status. Operations that were started are finished when it is back.",
  },
});
