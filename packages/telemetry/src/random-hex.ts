import { randomFillSync } from "node:crypto";

/** Bytes that are asked for at once: few, as an id that is kept holds the text of all of them. */
const bytesAtOnce = 256;

/**
 * Creates what returns random hexadecimal digits, so many at a time. To ask for a few random bytes costs ten times as
 * much as to cut a text.
 */
export function createHexSource(): (digits: number) => string {
  const bytes = Buffer.alloc(bytesAtOnce);
  let text = "";
  let at = 0;
  return (digits) => {
    if (at + digits > text.length) {
      text = randomFillSync(bytes).toString("hex");
      at = 0;
    }
    at += digits;
    return text.slice(at - digits, at);
  };
}
