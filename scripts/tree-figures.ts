/**
 * Prints what the tree looks like: the size of its files and folders, the imports between rooms, the names that were
 * given up, the lines that stand twice.
 *
 *     npm run figures                       # of this tree
 *     npm run figures -- --tree ../other    # of another checkout, as one of an earlier commit
 *     npm run figures -- --duplicates       # lists the lines that stand twice
 */
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { parseArgs } from "node:util";
import { duplicatesIn } from "./duplicate-lines.ts";
import { refusedWordsIn } from "./refused-words.ts";
import { type AllowedImports, roomImports, roomOf } from "./room-graph.ts";
import { type SourceFile, sourceFilesIn, sourceFolders } from "./source-files.ts";

const filesPerFolderMax = 20;

const { values } = parseArgs({
  options: { tree: { type: "string", default: "." }, duplicates: { type: "boolean", default: false } },
});
process.chdir(values.tree);

const folders = sourceFolders().filter((folder) => existsSync(folder));
const sources = folders.map((folder) => ({ folder, files: sourceFilesIn(folder) }));
const files = sources.flatMap((source) => source.files);
const allowed: Readonly<Record<string, AllowedImports>> = existsSync("rooms.json")
  ? // Checked by check-rooms.ts.
    (JSON.parse(readFileSync("rooms.json", "utf8")) as Readonly<Record<string, AllowedImports>>)
  : {};

const lines = files.map(({ text }) => text.split("\n").length - 1).sort((a, b) => a - b);
const imports = sources.flatMap((source) =>
  roomImports(source.folder, source.files).map((found) => ({ folder: source.folder, ...found })),
);
const rooms = new Set(
  sources.flatMap(({ folder, files: own }) => own.map(({ path }) => `${folder} ${roomOf(folder, path)}`)),
);
const edges = new Set(imports.map(({ folder, from, to }) => `${folder} ${from} ${to}`));
const refused = imports.filter(({ folder, from, to }) => allowed[folder]?.[from]?.includes(to) !== true);
const duplicates = duplicatesIn(files);

print("files in src", files.length);
print("lines: median", quantile(0.5));
print("lines: p90", quantile(0.9));
print("lines: most", lines.at(-1) ?? 0);
print(`folders with more than ${filesPerFolderMax} files`, fullFolders(files).join(", ") || "none");
print("of tests and of the crash harness", fullFolders(testFiles()).join(", ") || "none");
print("rooms", rooms.size);
print("pairs of rooms of which one imports the other", edges.size);
print("imports between rooms", imports.length);
print("of them not listed in rooms.json", existsSync("rooms.json") ? refused.length : "there is no rooms.json");
print("identifiers and file names that are refused", files.flatMap(refusedWordsIn).length);
print("runs of six lines or more that stand twice", duplicates.length);
if (values.duplicates)
  for (const { lines: count, first, second } of duplicates)
    process.stdout.write(`  ${count} lines: ${first} and ${second}\n`);

function print(what: string, figure: number | string): void {
  process.stdout.write(`${what.padEnd(50)} ${figure}\n`);
}

function quantile(share: number): number {
  return lines[Math.min(lines.length - 1, Math.floor(lines.length * share))] ?? 0;
}

function fullFolders(all: readonly SourceFile[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { path } of all) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > filesPerFolderMax).map(([folder, count]) => `${folder} (${count})`);
}

function testFiles(): readonly SourceFile[] {
  const parents = folders.map((folder) => posix.dirname(folder));
  const tests = parents.map((parent) => `${parent}/test`).filter((folder) => existsSync(folder));
  const harness = ["apps/rialto/chaos", "apps/rialto/overload"].filter((folder) => existsSync(folder));
  return [...tests, ...harness].flatMap((folder) => sourceFilesIn(folder));
}
