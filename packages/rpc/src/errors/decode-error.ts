/**
 * Removes the values that a JSON decoder quotes in its error: one of them may be a password, and responses are logged
 * by others. The field and its type stay.
 */
export function withoutValues(text: string): string {
  return text
    .replace(/, got [\s\S]*$/, "")
    .replace(
      /\bfrom JSON:? (?:"|-?\d|true\b|false\b|null\b|NaN\b|-?Infinity\b|Array\(|object\b|message\b(?! \S+ from))[\s\S]*$/,
      "from JSON",
    )
    .replace(/\b(map entry|map key) (?:"|-?\d|true\b|false\b)[\s\S]*$/, "$1");
}
