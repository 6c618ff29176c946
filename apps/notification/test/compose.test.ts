import fc from "fast-check";
import { simpleParser } from "mailparser";
import { createTransport } from "nodemailer";
import { describe, expect, it } from "vitest";
import { composeMail } from "../src/transport/compose.ts";
import type { Mail } from "../src/transport/transport.ts";
import { mailFrom } from "./fixture.ts";

const plain: Mail = {
  name: "order",
  messageId: "<a@rialto.example>",
  to: { name: "Ada", address: "ada@example.com" },
  subject: "Your order is confirmed",
  text: "Thank you.\n",
  html: "<p>Thank you.</p>\n",
};

async function parsed(mail: Mail) {
  const { subject, text, html, from, to, messageId, headers } = await simpleParser(composeMail(mail, mailFrom).message);
  const addressed = [to].flat().flatMap((one) => one?.value ?? []);
  return { subject, text, html, from: from?.value, to: addressed, messageId, type: headers.get("auto-submitted") };
}

/** What nodemailer itself makes of the same mail, as the same parser reads it. */
async function parsedFromNodemailer({ name: _, ...mail }: Mail) {
  const composer = createTransport({ streamTransport: true, buffer: true });
  const headers = { "Auto-Submitted": "auto-generated" };
  const { message } = await composer.sendMail({ ...mail, from: mailFrom, headers });
  const { subject, text, html, from, to, messageId, headers: read } = await simpleParser(message as Buffer);
  const addressed = [to].flat().flatMap((one) => one?.value ?? []);
  return { subject, text, html, from: from?.value, to: addressed, messageId, type: read.get("auto-submitted") };
}

describe("a composed mail", () => {
  it("is read as nodemailer's own would be, whatever its texts and names are", async () => {
    const unicode = fc.string({ unit: "grapheme", maxLength: 200 });
    const text = fc.array(fc.oneof(unicode, fc.constant("a".repeat(300)), fc.constant(". "), fc.constant("=3D")));
    await fc.assert(
      fc.asyncProperty(unicode, unicode, text, text, async (name, subject, lines, htmlLines) => {
        const [body, html] = [`${lines.join("\n")}\n`, `<p>${htmlLines.join("\n")}</p>\n`];
        const mail = { ...plain, to: { ...plain.to, name }, subject, text: body, html };
        expect(await parsed(mail)).toEqual(await parsedFromNodemailer(mail));
      }),
      { numRuns: 100 },
    );
  });

  it("has no line of more than 76 characters and no character beyond ASCII", () => {
    const text = `${"€".repeat(200)}\n${"a".repeat(200)}\n`;
    const { message } = composeMail({ ...plain, text, html: text, subject: "€".repeat(100) }, mailFrom);
    expect(Math.max(...message.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(76);
    expect(message).toMatch(/^[\t\r\n -~]*$/);
    expect(message.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  });

  it("keeps a link of a plain text as it is, for who reads the file", () => {
    const link = "https://shop.example/reset-password#a=b";
    expect(composeMail({ ...plain, text: `${link}\n` }, mailFrom).message).toContain(`\r\n${link}\r\n`);
  });

  it("gets no header field from a name or a subject", async () => {
    const evil = "Ada\r\nBcc: eve@example.com";
    const mail = { ...plain, to: { ...plain.to, name: evil }, subject: evil };
    expect(composeMail(mail, mailFrom).message).not.toMatch(/^bcc:/im);
    expect(composeMail(mail, mailFrom).envelope).toEqual({ from: "shop@rialto.example", to: ["ada@example.com"] });
  });

  it("has a boundary of its own each time", () => {
    const boundary = () => /boundary="([^"]+)"/.exec(composeMail(plain, mailFrom).message)?.[1];
    expect(boundary()).toBeDefined();
    expect(boundary()).not.toBe(boundary());
  });
});
