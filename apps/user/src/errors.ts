import { UserErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** Every reason that the user service can refuse with. */
export const errors = defineErrors(UserErrorReason, "user", {
  CREDENTIALS_INVALID: {
    code: "unauthenticated",
    retryable: false,
    message: "The e-mail address or the password is wrong.",
    client: "Ask for both again. Whether the account exists is not told.",
    operator: "Many at once, from one address or for one account: somebody is guessing passwords.",
  },
  TOO_MANY_ATTEMPTS: {
    code: "resource_exhausted",
    retryable: true,
    message: "Too many attempts have failed. Wait before the next one.",
    client: "Wait as many seconds as metadata.retry_after_seconds says. Offer to set a new password by mail.",
    operator: "Many at once: somebody is guessing passwords. The limits hold them off.",
  },
  ACCOUNT_DISABLED: {
    code: "permission_denied",
    retryable: false,
    message: "This account is disabled.",
    client: "Say so, and whom to ask.",
    operator: "Nothing. EnableUser opens it again.",
  },
  REFRESH_TOKEN_INVALID: {
    code: "unauthenticated",
    retryable: false,
    message: "The refresh token is unknown, expired or spent, or its session has ended.",
    client: "Sign in again. Keep the newest refresh token only, and share it between tabs.",
    operator: "For one account: a stolen token may have been used. The session has ended; its end_reason says why.",
  },
  RESET_TOKEN_INVALID: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The link is not good any more: it was used, has expired, a newer one was sent, or the account has changed since.",
    client: "Offer to send another mail.",
    operator: "Nothing, unless many come from one address: somebody is guessing tokens, without hope.",
  },
  CONFIRMATION_TOKEN_INVALID: {
    code: "failed_precondition",
    retryable: false,
    message:
      "The link is not good any more: it has expired, a newer one was sent, or the account is to have another address.",
    client: "Offer to send another mail.",
    operator: "Nothing, unless many come from one address: somebody is guessing tokens, without hope.",
  },
  USER_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "There is no such account.",
    client: "Check the id. Another customer's account is not found either.",
    operator: "Nothing, unless many come from one caller: somebody may be guessing ids.",
  },
  ROLE_CHANGE_DENIED: {
    code: "permission_denied",
    retryable: false,
    message: "Only an admin changes roles, and nobody their own.",
    client: "Leave the role out, or ask another admin.",
    operator: "Nothing.",
  },
  SELF_DISABLE_DENIED: {
    code: "failed_precondition",
    retryable: false,
    message: "Nobody disables their own account.",
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
