import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { oneLine, render } from "../src/templates/template.ts";

const words = fc.string({ unit: "binary", maxLength: 40 });
const hostile = fc.constantFrom(
  "<script>alert(1)</script>",
  '"><img src=x onerror=1>',
  "' onload='1",
  "&lt;b&gt;",
  "<!--",
);
const text = fc.oneof(words, hostile);

/** The markup of the HTML alone. */
const markup = (html: string) => html.match(/<[^>]*>/g);

const templateOf = (said: string) => ({
  subject: said,
  greeting: `Hello ${said},`,
  paragraphs: [said],
  summary: { lines: [{ name: said, quantity: 1, unitPrice: said, total: said }], total: said },
  address: [said, said],
  footer: said,
});

describe("an e-mail", () => {
  it("has the same markup whatever people are called and whatever they buy", () => {
    const plain = markup(render(templateOf("plain")).html);
    fc.assert(
      fc.property(text, (said) => {
        expect(markup(render(templateOf(said)).html)).toEqual(plain);
      }),
    );
  });

  it("says in plain text what was said, on one line and as it was", () => {
    fc.assert(
      fc.property(text.map(oneLine), (said) => {
        const { text: plain } = render(templateOf(said));
        expect(plain).toContain(`Hello ${said},`);
        expect(plain).toContain(`  1 x ${said} at ${said}: ${said}`);
      }),
    );
  });

  it("has as many lines whatever people are called, and no mark that turns its direction", () => {
    const count = (said: string) => render(templateOf(said)).text.split(/[\r\n\v\f\u0085\u2028\u2029]/).length;
    const breaks = fc.constantFrom("\r\n", "\n\n", "\u2028", "\u0085", "\v", "\u202e", "\u2066");
    fc.assert(
      fc.property(fc.array(fc.oneof(text, breaks)), (parts) => {
        const said = parts.join("");
        expect(count(said)).toBe(count("plain"));
        expect(render(templateOf(said)).text).not.toMatch(/\p{Bidi_Control}/u);
      }),
    );
  });
});
