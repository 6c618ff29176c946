import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type ParsedMail, simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";

/** The answer to a mail that the server refuses. */
export interface Answer {
  readonly code: number;
  readonly text: string;
}

export interface MailServer {
  readonly url: string;
  /** The accepted mails, in order. */
  readonly mails: ParsedMail[];
  /** How many connections were made to it. */
  readonly connections: number;
  /** Set it to refuse mails, at the recipient's address or after the text. Undefined accepts everything. */
  refuse: { readonly at: "recipient" | "text"; readonly answer: Answer } | undefined;
  close(): Promise<void>;
}

/** Starts a real SMTP server on a free port of this machine. */
export async function startMailServer(): Promise<MailServer> {
  const mails: ParsedMail[] = [];
  let connections = 0;
  const errorOf = ({ code, text }: Answer) => Object.assign(new Error(text), { responseCode: code });
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onConnect: (_session, done) => {
      connections += 1;
      done();
    },
    onRcptTo: (_address, _session, done) => {
      done(state.refuse?.at === "recipient" ? errorOf(state.refuse.answer) : undefined);
    },
    onData: (stream, _session, done) => {
      simpleParser(stream).then(
        (mail) => {
          if (state.refuse?.at === "text") return done(errorOf(state.refuse.answer));
          mails.push(mail);
          return done();
        },
        (error: Error) => done(error),
      );
    },
  });
  server.on("error", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  // Listening on TCP, so the address is of this form.
  const { port } = server.server.address() as AddressInfo;
  const state: MailServer = {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    get connections() {
      return connections;
    },
    refuse: undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return state;
}
