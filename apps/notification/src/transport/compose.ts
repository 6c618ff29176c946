import MimeNode from "nodemailer/lib/mime-node";
import { encode, wrap } from "nodemailer/lib/qp";
import type { Mail } from "./transport.ts";

/** A mail as it is sent, with lines that end in CRLF. */
export interface ComposedMail {
  readonly message: string;
  /** The addresses for the mail server, without names. */
  readonly envelope: { readonly from: string | false; readonly to: readonly string[] };
}

/** RFC 5322 allows 998, but a line of 7bit text stays as short as one of quoted-printable. */
const lineCharsMax = 76;

/**
 * Composes a mail with a text part and an HTML part.
 *
 * nodemailer encodes the header fields and the bodies, but does not join them: its streams took ten times as long for
 * a mail of two kilobytes as all the encoding.
 */
export function composeMail({ to, subject, text, html, messageId }: Mail, from: string): ComposedMail {
  const root = new MimeNode("multipart/alternative");
  root.setHeader({
    "Auto-Submitted": "auto-generated",
    From: from,
    To: to,
    Subject: subject,
    "Message-ID": messageId,
  });
  const headers = root.buildHeaders();
  // Made with the headers: random, so that no text can have guessed it.
  const { boundary } = root;
  const parts = [bodyPart("text/plain", text), bodyPart("text/html", html)];
  const message = [headers, "", ...parts.map((part) => `--${boundary}\r\n${part}`), `--${boundary}--`, ""].join("\r\n");
  return { message, envelope: root.getEnvelope() };
}

/** A part with its headers. What mail programs show as it is stays readable in the source, a link above all. */
function bodyPart(type: "text/plain" | "text/html", given: string): string {
  const text = given.replace(/\r\n?|\n/g, "\r\n");
  const isShort = isPrintable.test(text) && text.split("\r\n").every((line) => line.length <= lineCharsMax);
  const [encoding, body] = isShort ? ["7bit", text] : ["quoted-printable", wrap(encode(text), lineCharsMax)];
  return [`Content-Type: ${type}; charset=utf-8`, `Content-Transfer-Encoding: ${encoding}`, "", body].join("\r\n");
}

const isPrintable = /^[\t\r\n -~]*$/;
