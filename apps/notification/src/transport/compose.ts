import { randomUUID } from "node:crypto";
import MimeNode from "nodemailer/lib/mime-node";
import { encode, wrap } from "nodemailer/lib/qp";
import type { Mail } from "./transport.ts";

/** A mail as it is sent, with lines that end in CRLF. */
export interface ComposedMail {
  readonly message: string;
  /** The addresses for the mail server, without names. */
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
}

/** Composes mails of one sender, with a text part and an HTML part. */
export type ComposeMail = (mail: Mail) => ComposedMail;

/** RFC 5322 allows 998, but a line of 7bit text stays as short as one of quoted-printable. */
const lineCharsMax = 76;

/**
 * Creates what composes mails. nodemailer encodes what has to be encoded, names, subjects and bodies, but does not join
 * the parts: its streams take ten times as long for a mail of two kilobytes as all the encoding. Fields that are
 * written as they are, as most are, are written here.
 */
export function createMailComposer(from: string): ComposeMail {
  const sender = new MimeNode().setHeader("From", from);
  const fromLine = encodedField(sender, "From");
  const fromAddress = sender.getEnvelope().from || "";
  return (mail) => {
    const recipient = recipientOf(mail.to);
    const boundary = `=_${randomUUID()}`;
    const lines = [
      "Auto-Submitted: auto-generated",
      fromLine,
      recipient.line,
      subjectLine(mail.subject),
      `Message-ID: ${mail.messageId}`,
      `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`,
      "MIME-Version: 1.0",
      "Content-Type: multipart/alternative;",
      ` boundary="${boundary}"`,
      "",
      `--${boundary}`,
      bodyPart("text/plain", mail.text),
      `--${boundary}`,
      bodyPart("text/html", mail.html),
      `--${boundary}--`,
      "",
    ];
    return { message: lines.join("\r\n"), envelope: { from: fromAddress, to: recipient.addresses } };
  };
}

const plainName = /^[A-Za-z0-9]+(?: [A-Za-z0-9]+)*$/;
const plainAddress = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*@[a-z0-9]+(?:[.-][a-z0-9]+)*$/;
const plainSubject = /^[!-~]+(?: [!-~]+)*$/;

function recipientOf({ name, address }: Mail["to"]): { readonly line: string; readonly addresses: readonly string[] } {
  if (plainAddress.test(address) && (name === "" || plainName.test(name))) {
    const line = name === "" ? `To: ${address}` : `To: ${name} <${address}>`;
    if (line.length <= lineCharsMax) return { line, addresses: [address] };
  }
  const node = new MimeNode().setHeader("To", { name, address });
  return { line: encodedField(node, "To"), addresses: node.getEnvelope().to };
}

function subjectLine(subject: string): string {
  const line = `Subject: ${subject}`;
  // What looks like an encoded word has to be encoded itself.
  if (line.length <= lineCharsMax && plainSubject.test(subject) && !subject.includes("=?")) return line;
  return encodedField(new MimeNode().setHeader("Subject", subject), "Subject");
}

/** One field of a node as nodemailer writes it, folded over several lines where it is long. */
function encodedField(node: MimeNode, name: string): string {
  const fields = node.buildHeaders().split(/\r\n(?![ \t])/);
  return fields.find((field) => field.startsWith(`${name}:`)) ?? `${name}:`;
}

/** A part with its headers. What mail programs show as it is stays readable in the source, a link above all. */
function bodyPart(type: "text/plain" | "text/html", given: string): string {
  const lines = given.split(/\r\n?|\n/);
  const isPlain = lines.every((line) => line.length <= lineCharsMax && isPrintable.test(line));
  const [encoding, body] = isPlain ? ["7bit", lines] : ["quoted-printable", lines.map(quotedPrintable)];
  return [`Content-Type: ${type}; charset=utf-8`, `Content-Transfer-Encoding: ${encoding}`, "", ...body].join("\r\n");
}

const isPrintable = /^[\t -~]*$/;
const isLiteral = /^(?:[\t -<>-~]*[!-<>-~])?$/;

/** One line, over several where it is long. */
function quotedPrintable(line: string): string {
  return line.length <= lineCharsMax && isLiteral.test(line) ? line : wrap(encode(line), lineCharsMax);
}
