/**
 * Returns the beginning of a text, of at most so many characters, as a text of its own. V8 makes of `slice` a view that
 * holds its whole parent in memory: 16 characters that are kept would keep the 8 MB that they came in. By way of bytes
 * it is a copy; half of a surrogate pair at its end becomes U+FFFD.
 */
export function ownBeginning(text: string, charsMax: number): string {
  return Buffer.from(text.slice(0, charsMax)).toString();
}
