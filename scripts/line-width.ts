import type { SourceFile } from "./source-files.ts";

/** Columns of a comment, which wraps where the code does, and of a line of the docs. */
export const columnsMax = 120;

/**
 * Numbers of the lines that are comments and wider than the limit. A line that holds a URL may be: it cannot be broken.
 */
export function wideComments({ text }: SourceFile): readonly number[] {
  return wideLines(text, (line) => /^\s*(?:\/\/|\/\*\*?|\*)/.test(line));
}

/**
 * Numbers of the lines of a Markdown file that are wider than the limit. Code, links that stand alone and rows of
 * tables may be.
 */
export function wideDocLines({ text }: SourceFile): readonly number[] {
  let isCode = false;
  return wideLines(text, (line) => {
    if (/^\s*```/.test(line)) isCode = !isCode;
    return !isCode && !line.startsWith("|");
  });
}

/** Numbers of the rows of a Markdown table that hold a paragraph: a cell of more than so many characters. */
export function paragraphCells({ text }: SourceFile): readonly number[] {
  return text.split("\n").flatMap((line, index) => {
    const isLong = line.startsWith("|") && line.split("|").some((cell) => cell.trim().length > cellLengthMax);
    return isLong ? [index + 1] : [];
  });
}

const cellLengthMax = 200;

function wideLines(text: string, isMeant: (line: string) => boolean): readonly number[] {
  return text.split("\n").flatMap((line, index) => {
    const isWide = isMeant(line) && line.length > columnsMax && !/https?:\/\/\S{20}/.test(line);
    return isWide ? [index + 1] : [];
  });
}
