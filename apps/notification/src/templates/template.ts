import type { Content } from "../notification/state.ts";

/** What a mail says, before it is text and HTML. */
export interface Letter {
  readonly subject: string;
  readonly greeting: string;
  readonly paragraphs: readonly string[];
  /** The goods, one line each, and what they come to. */
  readonly bill?: Bill;
  readonly address?: readonly string[];
  /** In small print at the end. */
  readonly footer: string;
}

interface Bill {
  readonly lines: readonly BillLine[];
  readonly total: string;
}

export interface BillLine {
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: string;
  readonly total: string;
}

const closing = ["Kind regards,", "Rialto"] as const;

/**
 * Writes the letter as plain text and as HTML. Each value stands on one line of its own and is inserted once, escaped: what was written is
 * never looked through for places to fill. So a value that looks like such a place, like markup or like a line break is read as it is.
 */
export function write(given: Letter): Content {
  const letter = onOneLineEach(given);
  return { subject: letter.subject, text: textOf(letter), html: htmlOf(letter) };
}

/** The contract lets none of these characters in. Names and addresses that were given before it did so may have them still. */
function onOneLineEach({ bill, address, ...letter }: Letter): Letter {
  return {
    subject: oneLine(letter.subject),
    greeting: oneLine(letter.greeting),
    paragraphs: letter.paragraphs.map(oneLine),
    ...(bill === undefined ? {} : { bill: billOnOneLineEach(bill) }),
    ...(address === undefined ? {} : { address: address.map(oneLine) }),
    footer: oneLine(letter.footer),
  };
}

function billOnOneLineEach({ lines, total }: Bill): Bill {
  return {
    lines: lines.map((line) => ({
      name: oneLine(line.name),
      quantity: line.quantity,
      unitPrice: oneLine(line.unitPrice),
      total: oneLine(line.total),
    })),
    total: oneLine(total),
  };
}

/** The text with a space in place of line breaks, control characters and marks that change the direction of what stands around them. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ");
}

function textOf({ greeting, paragraphs, bill, address, footer }: Letter): string {
  const blocks = [greeting, ...paragraphs];
  if (bill !== undefined) {
    const lines = bill.lines.map((line) => `  ${line.quantity} x ${line.name} at ${line.unitPrice}: ${line.total}`);
    blocks.push([...lines, `  Total: ${bill.total}`].join("\n"));
  }
  if (address !== undefined) blocks.push(["It goes to:", ...address.map((line) => `  ${line}`)].join("\n"));
  blocks.push(closing.join("\n"), `-- \n${footer}`);
  return `${blocks.join("\n\n")}\n`;
}

function htmlOf({ subject, greeting, paragraphs, bill, address, footer }: Letter): string {
  const blocks = [greeting, ...paragraphs].map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`);
  if (bill !== undefined) blocks.push(tableOf(bill));
  if (address !== undefined) blocks.push(`<p>It goes to:<br>${address.map(escapeHtml).join("<br>")}</p>`);
  blocks.push(`<p>${closing.join("<br>")}</p>`);
  blocks.push(`<p style="color:#666;font-size:12px">${escapeHtml(footer)}</p>`);
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>`,
    '<body style="font-family:sans-serif;font-size:15px;line-height:1.5;color:#222;max-width:600px">',
    ...blocks,
    "</body></html>",
    "",
  ].join("\n");
}

function tableOf({ lines, total }: Bill): string {
  const right = 'style="text-align:right;padding:4px 0 4px 16px"';
  const left = 'style="text-align:left;padding:4px 0"';
  const rows = lines.map(
    (line) =>
      `<tr><td ${left}>${escapeHtml(line.name)}</td><td ${right}>${line.quantity}</td>` +
      `<td ${right}>${escapeHtml(line.unitPrice)}</td><td ${right}>${escapeHtml(line.total)}</td></tr>`,
  );
  return [
    '<table style="border-collapse:collapse">',
    `<tr><th ${left}>Item</th><th ${right}>Quantity</th><th ${right}>Price</th><th ${right}>Sum</th></tr>`,
    ...rows,
    `<tr><th ${left} colspan="3">Total</th><th ${right}>${escapeHtml(total)}</th></tr>`,
    "</table>",
  ].join("\n");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Names come from people: none of them may become markup. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
