import { ProductErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the product service refuses a request with. */
export const errors = defineErrors(ProductErrorReason, "product", {
  ADJUSTMENT_KEY_REQUIRED: {
    code: "invalid_argument",
    retryable: false,
    message: "Adjusting stock needs the header Idempotency-Key, because a retry without it would count twice.",
    client: "Send a new UUID with each adjustment, and the same one with its retries.",
    operator: "Nothing.",
  },
  PRODUCT_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "The product does not exist or is not on sale.",
    client: "Check the id. Customers see only active products.",
    operator: "Nothing.",
  },
  OUT_OF_STOCK: {
    code: "failed_precondition",
    retryable: false,
    message: "The requested quantity is not available.",
    client: "Order less, or another product. product_id in the metadata names the product.",
    operator: "Nothing. The same order stays refused; a new order can succeed.",
  },
  SEARCH_TOO_BROAD: {
    code: "resource_exhausted",
    retryable: false,
    message: "The search took too long and was canceled.",
    client: "Search for longer words, or within a category.",
    operator:
      "Check the startup log for a missing pg_trgm extension: without it, a search reads the whole catalog. Have a superuser install it, and restart.",
  },
  QUANTITY_LIMIT: {
    code: "failed_precondition",
    retryable: false,
    message: "The account would exceed the quantity of a product that one account can have reserved and not shipped.",
    client: "Only the order service gets this error. The order is REJECTED with this reason.",
    operator:
      "Raise RIALTO_UNSHIPPED_QUANTITY_MAX if customers need more. The same order stays refused; a new order can succeed.",
  },
  STOCK_BELOW_RESERVED: {
    code: "failed_precondition",
    retryable: false,
    message: "The adjustment would leave less stock on hand than is reserved.",
    client: "Remove at most the available quantity, or cancel orders first.",
    operator: "If reserved stock is missing, cancel orders until the rest is covered, then adjust.",
  },
  RESERVATION_RELEASED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order's reservation was released, possibly before it was made.",
    client: "Only the order service gets this error: its call was late, and the order has moved on.",
    operator: "Nothing.",
  },
  RESERVATION_COMMITTED: {
    code: "failed_precondition",
    retryable: false,
    message: "The order's reservation was already shipped.",
    client: "Only the order service gets this error: shipped stock cannot be released.",
    operator: "The order needs attention (COMPENSATION_FAILED).",
  },
  RESERVATION_NOT_FOUND: {
    code: "failed_precondition",
    retryable: false,
    message: "Nothing is reserved for the order.",
    client: "Only the order service gets this error.",
    operator:
      "The order needs attention (STOCK_LOST): refund its payment, then cancel it. Shipping again reserves nothing.",
  },
  STOCK_TOO_LARGE: {
    code: "out_of_range",
    retryable: false,
    message: "The adjustment would exceed the maximum stock of 2,147,483,647.",
    client: "Adjust by less.",
    operator: "Nothing.",
  },
});
