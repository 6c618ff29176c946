/**
 * What a decoder of JSON says of a message that does not fit, without the value that it quotes: that may be a password, and nobody knows by whom an answer
 * is kept. The field and the type that it has stay.
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
