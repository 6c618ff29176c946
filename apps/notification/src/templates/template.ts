import type { Content } from "../notification/state.ts";

/** The content of an e-mail, before it is rendered. */
export interface EmailTemplate {
  readonly subject: string;
  readonly greeting: string;
  readonly paragraphs: readonly string[];
  /** The items of the order and their total. */
  readonly summary?: OrderSummary;
  readonly address?: readonly string[];
  /** The small print at the end. */
  readonly footer: string;
}

interface OrderSummary {
  readonly lines: readonly OrderLine[];
  readonly total: string;
}

export interface OrderLine {
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: string;
  readonly total: string;
}

const closing = ["Kind regards,", "Rialto"] as const;

/**
 * Renders the template as plain text and as HTML. Each value is put on its own line, escaped, exactly once. Rendered
 * text is never searched for placeholders, so a value that looks like a placeholder, markup, or a line break is shown
 * literally.
 */
export function render(given: EmailTemplate): Content {
  const template = onOneLineEach(given);
  return { subject: template.subject, text: textOf(template), html: htmlOf(template) };
}

/** Names and addresses stored before the contract refused these characters can still contain them. */
function onOneLineEach({ summary, address, ...template }: EmailTemplate): EmailTemplate {
  return {
    subject: oneLine(template.subject),
    greeting: oneLine(template.greeting),
    paragraphs: template.paragraphs.map(oneLine),
    ...(summary === undefined ? {} : { summary: summaryOnOneLineEach(summary) }),
    ...(address === undefined ? {} : { address: address.map(oneLine) }),
    footer: oneLine(template.footer),
  };
}

function summaryOnOneLineEach({ lines, total }: OrderSummary): OrderSummary {
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

/** Replaces line breaks, control characters and bidirectional control characters by a space. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ");
}

function textOf({ greeting, paragraphs, summary, address, footer }: EmailTemplate): string {
  const blocks = [greeting, ...paragraphs];
  if (summary !== undefined) {
    const lines = summary.lines.map((line) => `  ${line.quantity} x ${line.name} at ${line.unitPrice}: ${line.total}`);
    blocks.push([...lines, `  Order total: ${summary.total}`].join("\n"));
  }
  if (address !== undefined) blocks.push(["Shipping address:", ...address.map((line) => `  ${line}`)].join("\n"));
  blocks.push(closing.join("\n"), `-- \n${footer}`);
  return `${blocks.join("\n\n")}\n`;
}

function htmlOf({ subject, greeting, paragraphs, summary, address, footer }: EmailTemplate): string {
  const blocks = [greeting, ...paragraphs].map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`);
  if (summary !== undefined) blocks.push(tableOf(summary));
  if (address !== undefined) blocks.push(`<p>Shipping address:<br>${address.map(escapeHtml).join("<br>")}</p>`);
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

function tableOf({ lines, total }: OrderSummary): string {
  const right = 'style="text-align:right;padding:4px 0 4px 16px"';
  const left = 'style="text-align:left;padding:4px 0"';
  const rows = lines.map(
    (line) =>
      `<tr><td ${left}>${escapeHtml(line.name)}</td><td ${right}>${line.quantity}</td>` +
      `<td ${right}>${escapeHtml(line.unitPrice)}</td><td ${right}>${escapeHtml(line.total)}</td></tr>`,
  );
  return [
    '<table style="border-collapse:collapse">',
    `<tr><th ${left}>Item</th><th ${right}>Quantity</th><th ${right}>Unit price</th><th ${right}>Total</th></tr>`,
    ...rows,
    `<tr><th ${left} colspan="3">Order total</th><th ${right}>${escapeHtml(total)}</th></tr>`,
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

/** Escapes text that people entered, so that it cannot become markup. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
