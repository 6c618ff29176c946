import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** A source file of ours. */
export interface SourceFile {
  /** From the root of the repository, with slashes: "packages/rpc/src/server/route.ts". */
  readonly path: string;
  readonly text: string;
}

/** The `src` folder of every workspace, from the root of the repository, sorted. */
export function sourceFolders(): readonly string[] {
  return ["apps", "packages"].flatMap((parent) =>
    readdirSync(parent)
      .sort()
      .map((name) => `${parent}/${name}/src`),
  );
}

/** Every TypeScript file below a folder, sorted by path. */
export function sourceFilesIn(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(".", join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .sort()
    .map((path) => ({ path, text: readFileSync(path, "utf8") }));
}
