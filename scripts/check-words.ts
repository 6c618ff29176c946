/**
 * Fails where a name of ours stands that was given up for the field's term (docs/glossary.md), or where a comment or a
 * line of the docs is wider than 120 columns, or where a table of the docs holds a paragraph.
 *
 *     npm run words
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { columnsMax, paragraphCells, wideComments, wideDocLines } from "./line-width.ts";
import { refusedWordsIn } from "./refused-words.ts";
import type { SourceFile } from "./source-files.ts";

/** Lists the words that it refuses, and is generated or somebody else's text. */
const leftOut =
  /^(?:scripts\/refused-words\.ts|packages\/contracts\/(?:gen|comments)\/|packages\/connect\/conformance\/gen\/|third_party\/.*\/|CHANGELOG)/;

const files: readonly SourceFile[] = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"])
  .toString()
  .split("\n")
  .filter((path) => /\.(?:ts|js|md|proto)$/.test(path) && !leftOut.test(path) && existsSync(path))
  .map((path) => ({ path, text: readFileSync(path, "utf8") }));

const faults = files.flatMap((file) => {
  const isDoc = file.path.endsWith(".md");
  const wide = isDoc ? wideDocLines(file) : wideComments(file);
  return [
    ...refusedWordsIn(file).map(({ word, term, path, line }) => `${path}:${line}: "${word}" is called ${term}`),
    ...wide.map((line) => `${file.path}:${line}: wider than ${columnsMax} columns`),
    ...(isDoc ? paragraphCells(file) : []).map((line) => `${file.path}:${line}: a table cell holds a paragraph`),
  ];
});
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
else process.stdout.write(`No refused word and no wide comment in ${files.length} files\n`);
