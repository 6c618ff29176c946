import type { SourceFile } from "./source-files.ts";

/** Lines that stand twice, one after another, in the same order. */
export interface Duplicate {
  readonly lines: number;
  /** Where they stand, as "path:line". */
  readonly first: string;
  readonly second: string;
}

const linesMin = 6;

interface Line {
  readonly path: string;
  readonly number: number;
  readonly text: string;
}

/**
 * Every run of at least six lines that stands twice, each at its full length. Imports, blank lines and lines of
 * punctuation alone do not count.
 */
export function duplicatesIn(files: readonly SourceFile[]): readonly Duplicate[] {
  const lines = files.map(meaningfulLines);
  const seen = new Map<string, { readonly file: number; readonly index: number }>();
  const found: Duplicate[] = [];
  for (const [file, own] of lines.entries()) {
    for (let index = 0; index + linesMin <= own.length; index += 1) {
      const key = keyOf(own, index);
      const earlier = seen.get(key);
      if (earlier === undefined) {
        seen.set(key, { file, index });
        continue;
      }
      const others = lines[earlier.file] ?? [];
      const length = commonLength(others, earlier.index, own, index);
      found.push({ lines: length, first: placeOf(others[earlier.index]), second: placeOf(own[index]) });
      index += length - 1;
    }
  }
  return found.sort((a, b) => b.lines - a.lines);
}

function meaningfulLines({ path, text }: SourceFile): readonly Line[] {
  const withoutImports = text.replace(/^import\b[^;]*;/gm, (statement) => statement.replace(/[^\n]/g, ""));
  return withoutImports
    .split("\n")
    .map((line, index) => ({ path, number: index + 1, text: line.trim() }))
    .filter((line) => /\w/.test(line.text));
}

function keyOf(lines: readonly Line[], from: number): string {
  const window = lines.slice(from, from + linesMin);
  return window.map(({ text }) => text).join("\n");
}

function commonLength(a: readonly Line[], fromA: number, b: readonly Line[], fromB: number): number {
  let length = 0;
  while (a[fromA + length] !== undefined && a[fromA + length]?.text === b[fromB + length]?.text) length += 1;
  return length;
}

function placeOf(line: Line | undefined): string {
  return line === undefined ? "" : `${line.path}:${line.number}`;
}
