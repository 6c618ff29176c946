import type { Content, Recipient } from "../notification/state.ts";

/** A mail that is ready to be sent. */
export interface Mail extends Content {
  /** The file name in the folder of .eml files. The same mail always has the same name. */
  readonly name: string;
  readonly messageId: string;
  readonly to: Recipient;
}

/** Sends mail: over SMTP, or to a folder of .eml files. */
export interface MailTransport {
  /**
   * Resolves once the mail was accepted. Throws MailRefused if it was rejected permanently, any other error if a retry
   * may succeed.
   */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
