import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

const headBytesMax = 16_384;

/** A mail that the server accepted. */
export interface CaughtMail {
  readonly messageId: string;
  readonly to: string;
  readonly at: number;
}

/** The mail server of a run. */
export interface MailCatcher {
  readonly port: number;
  readonly mails: readonly CaughtMail[];
  close(): Promise<void>;
}

/** Starts a mail server that accepts and records every mail. */
export async function startMailCatcher(): Promise<MailCatcher> {
  const mails: CaughtMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    logger: false,
    onData(stream, session, done) {
      let head = "";
      stream.on("data", (chunk: Buffer) => {
        if (head.length < headBytesMax) head += chunk.toString("latin1");
      });
      stream.once("end", () => {
        const messageId = /^message-id:\s*(<[^>]+>)/im.exec(head)?.[1] ?? "";
        mails.push({ messageId, to: session.envelope.rcptTo[0]?.address ?? "", at: Date.now() });
        done();
      });
    },
  });
  // The client was killed.
  server.on("error", () => undefined);
  const listening = once(server.server, "listening");
  server.listen(0, "127.0.0.1");
  await listening;
  // It listens on TCP, so it has an address with a port.
  const { port } = server.server.address() as AddressInfo;
  return { port, mails, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
