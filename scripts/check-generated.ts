/**
 * Generates everything again and fails, naming the files and the command to run, where the tree held something else.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const generated = [
  "packages/contracts/gen",
  "packages/contracts/comments",
  "docs/errors.md",
  "deploy/grafana",
  ...readdirSync("apps").map((app) => join("apps", app, "schema.sql")),
];

const before = contentOf(generated);
for (const script of ["generate:contract", "generate:errors", "generate:schemas", "generate:dashboards"]) {
  const { status } = spawnSync("npm", ["run", "--silent", script], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
const after = contentOf(generated);

const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
  (path) => before.get(path) !== after.get(path),
);
if (changed.length > 0) {
  process.stderr.write(
    `These files are generated, and differ from what their sources give:\n  ${changed.sort().join("\n  ")}\n`,
  );
  process.stderr.write(
    "They have been generated again now. To do the same: npm run generate, then commit the result.\n",
  );
  process.exitCode = 1;
} else {
  process.stdout.write(`Generated files are as their sources give them (${after.size} files)\n`);
}

function contentOf(paths: readonly string[]): Map<string, string> {
  const files = paths.flatMap(filesIn);
  return new Map(files.map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]));
}

function filesIn(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
