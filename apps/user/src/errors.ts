import { UserErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the user service refuses a request with. */
export const errors = defineErrors(UserErrorReason, "user", {
  CREDENTIALS_INVALID: {
    code: "unauthenticated",
    retryable: false,
    message: "The e-mail address or the password is wrong.",
    client: "Ask for both again. The error does not reveal whether the account exists.",
    operator: "Many at once, from one address or for one account, mean that someone is guessing passwords.",
  },
  TOO_MANY_ATTEMPTS: {
    code: "resource_exhausted",
    retryable: true,
    message: "Too many failed attempts. Try again later.",
    client: "Wait for metadata.retry_after_seconds. Offer to reset the password by mail.",
    operator: "Many at once mean that someone is guessing passwords. The limits stop them.",
  },
  ACCOUNT_DISABLED: {
    code: "permission_denied",
    retryable: false,
    message: "This account is disabled.",
    client: "Show the message, and whom to contact.",
    operator: "Nothing. EnableUser enables it again.",
  },
  REFRESH_TOKEN_INVALID: {
    code: "unauthenticated",
    retryable: false,
    message: "The refresh token is unknown, expired or already used, or its session has ended.",
    client: "Sign in again. Keep only the newest refresh token, and share it between tabs.",
    operator: "For one account, a stolen token may have been used. The session has ended; end_reason states why.",
  },
  RESET_TOKEN_INVALID: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The link is no longer valid: it was used or has expired, a newer one was sent, or the account has changed.",
    client: "Offer to send another mail.",
    operator: "Nothing. Many from one address mean that someone is guessing tokens, which cannot succeed.",
  },
  CONFIRMATION_TOKEN_INVALID: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The link is no longer valid: it has expired, a newer one was sent, or another address was entered for the account.",
    client: "Offer to send another mail.",
    operator: "Nothing. Many from one address mean that someone is guessing tokens, which cannot succeed.",
  },
  USER_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "The account does not exist.",
    client: "Check the id. The error is the same for another customer's account.",
    operator: "Nothing. Many from one caller mean that someone may be guessing ids.",
  },
  ROLE_CHANGE_DENIED: {
    code: "permission_denied",
    retryable: false,
    message: "Only admins can change roles, and they cannot change their own.",
    client: "Omit the role, or ask another admin.",
    operator: "Nothing.",
  },
  SELF_DISABLE_DENIED: {
    code: "failed_precondition",
    retryable: false,
    message: "You cannot disable your own account.",
    client: "Ask another admin.",
    operator: "Nothing.",
  },
  EMAIL_TAKEN: {
    code: "already_exists",
    retryable: false,
    message: "Another account has this e-mail address.",
    client: "Offer to sign in instead, or ask for another address.",
    operator: "Nothing.",
  },
});
