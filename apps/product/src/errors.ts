import { ProductErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the product service can refuse with. */
export const errors = defineErrors(ProductErrorReason, "product", {
  ADJUSTMENT_KEY_REQUIRED: {
    code: "invalid_argument",
    retryable: false,
    message:
      "A change of what is on hand needs the header Idempotency-Key: without one, a repetition would count it again.",
    client: "Send a new UUID with each change, and the same one when it is repeated.",
    operator: "Nothing.",
  },
  PRODUCT_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "There is no such product, or it is not on sale.",
    client: "Check the id. The public sees active products only.",
    operator: "Nothing.",
  },
  OUT_OF_STOCK: {
    code: "failed_precondition",
    retryable: false,
    message: "Less is available than was asked for.",
    client: "Order less, or another product. The metadata's product_id says which it is.",
    operator: "Nothing. The same order is refused for ever: a new order tries again.",
  },
  SEARCH_TOO_BROAD: {
    code: "resource_exhausted",
    retryable: false,
    message: "The search took too long and was ended.",
    client: "Search for longer words, or within a category.",
    operator:
      "See whether the log of the start says that the server has no pg_trgm: then a search reads the whole catalog. Have a superuser install it, and start again.",
  },
  QUANTITY_LIMIT: {
    code: "failed_precondition",
    retryable: false,
    message: "The account would have more of a product reserved and not shipped than one account may have.",
    client: "Only the order service sees this: the order is REJECTED with this reason.",
    operator:
      "Raise RIALTO_UNSHIPPED_QUANTITY_MAX where customers order so much. The same order is refused for ever: a new order tries again.",
  },
  STOCK_BELOW_RESERVED: {
    code: "failed_precondition",
    retryable: false,
    message: "The change would leave less on hand than is reserved.",
    client: "Take out at most what is available, or cancel orders first.",
    operator: "If what is reserved is really not there: cancel orders until it fits, then adjust.",
  },
  RESERVATION_RELEASED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order's reservation was given back, maybe before it was made.",
    client: "Only the order service sees this: it was late, and its order has moved on.",
    operator: "Nothing.",
  },
  RESERVATION_COMMITTED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order's reservation was shipped.",
    client: "Only the order service sees this: what was shipped cannot be given back by it.",
    operator: "The order waits for a person (attention COMPENSATION_FAILED).",
  },
  RESERVATION_NOT_FOUND: {
    code: "failed_precondition",
    retryable: false,
    message: "Nothing is reserved for the order.",
    client: "Only the order service sees this.",
    operator: "The order waits for a person (attention STOCK_LOST): ship it again once stock is found, or cancel it.",
  },
  STOCK_TOO_LARGE: {
    code: "out_of_range",
    retryable: false,
    message: "The change would take the stock past what can be counted (2,147,483,647).",
    client: "Adjust by less.",
    operator: "Nothing.",
  },
});
