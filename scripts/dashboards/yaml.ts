/** Plain data. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

/**
 * Writes plain data as YAML, in its block form. Each string is quoted, so that nothing in it is taken for a number, a
 * comment or a mark: as JSON, which YAML reads the same, or where it has such quotes itself, by single ones.
 */
export function yamlOf(data: Plain, indent = ""): string {
  if (Array.isArray(data)) {
    if (data.length === 0) return " []\n";
    return `\n${data.map((part) => `${indent}- ${yamlOf(part, `${indent}  `).trimStart()}`).join("")}`;
  }
  if (typeof data === "object") {
    const lines = Object.entries(data).map(([key, part]) => {
      const name = /^[a-z_]+$/i.test(key) ? key : JSON.stringify(key);
      return `${indent}${name}:${yamlOf(part, `${indent}  `)}`;
    });
    return `\n${lines.join("")}`;
  }
  const isPlainInQuotes = typeof data === "string" && data.includes('"') && !data.includes("'");
  return isPlainInQuotes ? ` '${data}'\n` : ` ${JSON.stringify(data)}\n`;
}
