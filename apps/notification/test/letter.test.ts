import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { write } from "../src/letter.ts";

const words = fc.string({ unit: "binary", maxLength: 40 });
const hostile = fc.constantFrom(
  "<script>alert(1)</script>",
  '"><img src=x onerror=1>',
  "' onload='1",
  "&lt;b&gt;",
  "<!--",
);
const text = fc.oneof(words, hostile);

/** The HTML with nothing of people in it: its markup alone. */
const markup = (html: string) => html.match(/<[^>]*>/g);

const letterOf = (said: string) => ({
  subject: said,
  greeting: `Hello ${said},`,
  paragraphs: [said],
  bill: { lines: [{ name: said, quantity: 1, unitPrice: said, total: said }], total: said },
  address: [said, said],
  footer: said,
});

describe("a letter", () => {
  it("has the same markup whatever people are called and whatever they buy", () => {
    const plain = markup(write(letterOf("plain")).html);
    fc.assert(
      fc.property(text, (said) => {
        expect(markup(write(letterOf(said)).html)).toEqual(plain);
      }),
    );
  });

  it("says in plain text what was said, as it was", () => {
    fc.assert(
      fc.property(text, (said) => {
        const { text: plain } = write(letterOf(said));
        expect(plain).toContain(`Hello ${said},`);
        expect(plain).toContain(`  1 x ${said} at ${said}: ${said}`);
      }),
    );
  });
});
