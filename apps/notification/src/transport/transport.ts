import type { Content, Recipient } from "../notification/state.ts";

/** A mail that is ready to go. */
export interface Mail extends Content {
  /** The name of the file that it becomes where there is no mail server: the same mail, the same name. */
  readonly name: string;
  readonly messageId: string;
  readonly to: Recipient;
}

/** The road that mail takes out of the house. */
export interface MailTransport {
  /** Resolves when the mail was taken over. Throws MailRefused where it never will be, anything else where it may be later. */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
