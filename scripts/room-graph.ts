import { posix } from "node:path";
import type { SourceFile } from "./source-files.ts";

/** An import of one room of a package by another. */
export interface RoomImport {
  readonly from: string;
  readonly to: string;
  /** The file that imports, from the root of the repository. */
  readonly path: string;
}

/** The rooms that each room may import, by name. */
export type AllowedImports = Readonly<Record<string, readonly string[]>>;

/** Files at the root of `src` that may import every room: what a package offers, and what a process starts with. */
const entryPoints: ReadonlySet<string> = new Set(["index", "main"]);

/** The room of a file: the folder below `src` that it stands in, or its own name where it stands in `src` itself. */
export function roomOf(folder: string, path: string): string {
  const [first = "", ...rest] = posix.relative(folder, path).split("/");
  return rest.length > 0 ? first : first.replace(/\.ts$/, "");
}

/** Every import between two rooms of a `src` folder; those of an entry point are not counted. */
export function roomImports(folder: string, files: readonly SourceFile[]): readonly RoomImport[] {
  return files.flatMap(({ path, text }) => {
    const from = roomOf(folder, path);
    if (entryPoints.has(from)) return [];
    return importedPaths(text)
      .map((imported) => posix.normalize(posix.join(posix.dirname(path), imported)))
      .filter((target) => target.startsWith(`${folder}/`))
      .map((target) => ({ from, to: roomOf(folder, target), path }))
      .filter(({ to }) => to !== from);
  });
}

/** The rooms of a cycle among the allowed imports, in order; undefined where there is none. */
export function cycleIn(allowed: AllowedImports): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(room)) return [...path.slice(path.indexOf(room)), room];
    if (done.has(room)) return undefined;
    for (const next of allowed[room] ?? []) {
      const cycle = visit(next, [...path, room]);
      if (cycle !== undefined) return cycle;
    }
    done.add(room);
    return undefined;
  };
  for (const room of Object.keys(allowed)) {
    const cycle = visit(room, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** What `import`, `export ... from` and `import()` name by a relative path. */
function importedPaths(text: string): readonly string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*"(\.{1,2}\/[^"]+)"/gm)].map((match) => match[1] ?? "");
}
