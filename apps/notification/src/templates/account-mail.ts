import type { Content } from "../notification/state.ts";
import { render } from "./template.ts";

/** A link with an expiry. It appears in the sent mail only. */
export interface EmailLink {
  readonly link: string;
  /** The expiry, formatted for people. */
  readonly until: string;
}

/**
 * Takes the place of the link in the stored copy of a mail. This version renders such a mail again when it sends it. A
 * replica of 0.1.0, which may send it during a rollout, replaces these placeholders, so text that a person entered must
 * never be next to them.
 */
export const linkPlaceholder: EmailLink = { link: "{{link}}", until: "{{until}}" };

const greeting = "Hello,";

/** The mail that welcomes a new customer. With a link, it also asks the customer to confirm the address. */
export function welcomeMail(confirmation: EmailLink | undefined): Content {
  const confirming =
    confirmation === undefined
      ? []
      : [
          "Please confirm your e-mail address. Open this link and click the button:",
          confirmation.link,
          `The link is valid until ${confirmation.until}.`,
        ];
  return render({
    subject: "Welcome to Rialto",
    greeting,
    paragraphs: [
      "Your account is ready. You can place orders now, and we will send updates about them to this address.",
      ...confirming,
      "If you did not create this account, reply to this message and we will close it.",
    ],
    footer: "You are receiving this message because an account was created with this address.",
  });
}

/** The mail that asks to confirm an address. */
export function confirmationMail({ link, until }: EmailLink): Content {
  return render({
    subject: "Confirm your e-mail address",
    greeting,
    paragraphs: [
      "Please confirm your e-mail address. Open this link and click the button:",
      link,
      `The link is valid until ${until}.`,
      "If you do not have an account with us, you can ignore this message: nothing changes without the link.",
    ],
    footer: "You are receiving this message because this address was entered for an account.",
  });
}

/** The mail with the link that resets a password. */
export function passwordResetMail({ link, until }: EmailLink): Content {
  return render({
    subject: "Reset your password",
    greeting,
    paragraphs: [
      "We received a request to reset the password of your account. Open this link to set a new password:",
      link,
      `The link works once and is valid until ${until}. Setting a new password signs you out on all devices.`,
      "If you did not request this, you can ignore this message: your password stays the same.",
      "Do not share the link with anyone. We will never ask you for it.",
    ],
    footer: "You are receiving this message because a password reset was requested for this address.",
  });
}

/** The mail that reports a changed password. */
export function passwordChangedMail(): Content {
  return render({
    subject: "Your password was changed",
    greeting,
    paragraphs: [
      "The password of your account was changed, and your other devices were signed out.",
      "If this was not you, reset your password now and reply to this message.",
    ],
    footer: "You are receiving this message because this is the e-mail address of your account.",
  });
}

/**
 * The mail to the previous address of an account. It does not contain the new address, because the reader of this
 * mailbox may no longer be the owner of the account.
 */
export function emailChangedMail(): Content {
  return render({
    subject: "Your e-mail address was changed",
    greeting,
    paragraphs: [
      "The e-mail address of your account was changed. From now on, you sign in with the new address, and we write to it.",
      "If this was not you, reply to this message and we will help you recover your account.",
    ],
    footer: "You are receiving this message because this was the e-mail address of your account.",
  });
}
