import fc from "fast-check";
import { simpleParser } from "mailparser";
import { createTransport } from "nodemailer";
import { describe, expect, it } from "vitest";
import { createMailComposer } from "../src/transport/compose.ts";
import type { Mail } from "../src/transport/transport.ts";
import { mailFrom } from "./fixture.ts";

const compose = createMailComposer(mailFrom);

const plain: Mail = {
  name: "order",
  messageId: "<a@rialto.example>",
  to: { name: "Ada", address: "ada@example.com" },
  subject: "Your order is confirmed",
  text: "Thank you.\n",
  html: "<p>Thank you.</p>\n",
};

async function parsed(mail: Mail) {
  const { subject, text, html, from, to, messageId, headers } = await simpleParser(compose(mail).message);
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
    const name = fc.oneof(
      unicode,
      fc.constantFrom("", "Ada Lovelace", "Ada, Countess", 'Ada "the first"', "=?utf-8?Q?A?="),
    );
    const subject = fc.oneof(unicode, fc.constantFrom("Your order is confirmed", "=?utf-8?Q?A?=", "a".repeat(200)));
    const text = fc.array(fc.oneof(unicode, fc.constant("a".repeat(300)), fc.constant(". "), fc.constant("=3D")));
    await fc.assert(
      fc.asyncProperty(name, subject, text, text, async (named, about, lines, htmlLines) => {
        const [body, html] = [`${lines.join("\n")}\n`, `<p>${htmlLines.join("\n")}</p>\n`];
        const mail = { ...plain, to: { ...plain.to, name: named }, subject: about, text: body, html };
        expect(await parsed(mail)).toEqual(await parsedFromNodemailer(mail));
      }),
      { numRuns: 200 },
    );
  });

  it("has no line of more than 76 characters and no character beyond ASCII", () => {
    const text = `${"€".repeat(200)}\n${"a".repeat(200)}\n`;
    const { message } = compose({ ...plain, text, html: text, subject: "€".repeat(100) });
    expect(Math.max(...message.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(76);
    expect(message).toMatch(/^[\t\r\n -~]*$/);
    expect(message.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  });

  it("keeps a link of a plain text as it is, for who reads the file", () => {
    const link = "https://shop.example/reset-password#a=b";
    expect(compose({ ...plain, text: `${link}\n` }).message).toContain(`\r\n${link}\r\n`);
  });

  it("gets no header field from a name or a subject", async () => {
    const evil = "Ada\r\nBcc: eve@example.com";
    const mail = { ...plain, to: { ...plain.to, name: evil }, subject: evil };
    expect(compose(mail).message).not.toMatch(/^bcc:/im);
    expect(compose(mail).envelope).toEqual({ from: "shop@rialto.example", to: ["ada@example.com"] });
  });

  it("has a boundary of its own each time", () => {
    const boundary = () => /boundary="([^"]+)"/.exec(compose(plain).message)?.[1];
    expect(boundary()).toBeDefined();
    expect(boundary()).not.toBe(boundary());
  });

  it.each([
    "ada@example.com",
    "Ada.Lovelace+shop@Example.COM",
    "ada@bücher.example",
    "üser@example.com",
    '"ada lovelace"@example.com',
    `${"a".repeat(64)}@${"b".repeat(60)}.example`,
  ])("goes to the address that nodemailer would send it to: %s", async (address) => {
    const mail = { ...plain, to: { name: "Ada", address } };
    const { envelope } = await createTransport({ jsonTransport: true }).sendMail({ ...mail, from: mailFrom });
    expect(compose(mail).envelope).toEqual(envelope);
    expect(await parsed(mail)).toEqual(await parsedFromNodemailer(mail));
  });
});
