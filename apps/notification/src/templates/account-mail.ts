import type { Content } from "../notification/state.ts";
import { write } from "./template.ts";

/** A link that is good for a while: it is in the mail, and nowhere else. */
export interface MailedLink {
  readonly link: string;
  /** The moment, as people read it. */
  readonly until: string;
}

/**
 * What stands in the stored copy of a mail in place of its link. This version makes such a mail anew as it is sent. A replica of 0.1.0, which may
 * send it during a roll-out, fills these in: so no text that a person wrote may stand beside them.
 */
export const unlinked: MailedLink = { link: "{{link}}", until: "{{until}}" };

const greeting = "Hello,";

/** The mail that welcomes a new customer. With a link it asks to confirm the address, too. */
export function welcomeMail(confirmation: MailedLink | undefined): Content {
  const confirming =
    confirmation === undefined
      ? []
      : [
          "Please confirm that this is your address. Open this link and press the button:",
          confirmation.link,
          `It is good until ${confirmation.until}.`,
        ];
  return write({
    subject: "Welcome to Rialto",
    greeting,
    paragraphs: [
      "your account is open. You can place orders with it from now on, and we will write to this address when something happens to one.",
      ...confirming,
      "If it was not you who opened it, reply to this message and we will close it.",
    ],
    footer: "You receive this message because an account was opened with this address.",
  });
}

/** The mail that asks to confirm an address. */
export function confirmationMail({ link, until }: MailedLink): Content {
  return write({
    subject: "Confirm your e-mail address",
    greeting,
    paragraphs: [
      "please confirm that this is your address. Open this link and press the button:",
      link,
      `It is good until ${until}.`,
      "If you have no account with us, do nothing: without the link nothing changes.",
    ],
    footer: "You receive this message because an account is to have this address.",
  });
}

/** The mail that sets a new password. */
export function passwordResetMail({ link, until }: MailedLink): Content {
  return write({
    subject: "Set a new password",
    greeting,
    paragraphs: [
      "somebody, most likely you, asked to set a new password for your account. Open this link to do so:",
      link,
      `It can be used once, until ${until}. Whoever is signed in with the old password is signed out by it.`,
      "If it was not you, do nothing: without the link nothing changes. Give it to nobody, not even to us.",
    ],
    footer: "You receive this message because a new password was asked for with this address.",
  });
}

/** The mail that says that a new password was set. */
export function passwordChangedMail(): Content {
  return write({
    subject: "Your password was changed",
    greeting,
    paragraphs: [
      "the password of your account was changed, and all other sessions were signed out.",
      "If it was not you, set a new password with a mail to this address, and reply to this message.",
    ],
    footer: "You receive this message because your account has this address.",
  });
}

/** The mail to the address that an account had before. It does not say what the new one is: who reads this mailbox may not be its owner. */
export function emailChangedMail(): Content {
  return write({
    subject: "Your account has a new e-mail address",
    greeting,
    paragraphs: [
      "the e-mail address of your account was changed. From now on we write to the new one, and you sign in with it.",
      "If it was not you, reply to this message: we can give the account back to you.",
    ],
    footer: "You receive this message because your account had this address until now.",
  });
}
