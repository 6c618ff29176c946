/**
 * Compares the imports between the rooms of each package with rooms.json, which lists for each room the rooms that it
 * may import. A room is a folder of `src`, or a file that stands in `src` itself. An import that is not listed, a
 * listed one that nothing needs, and a cycle fail.
 *
 *     npm run rooms               # check
 *     npm run rooms -- --write    # list what is imported now; a cycle fails all the same
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type AllowedImports, cycleIn, type RoomImport, roomImports } from "./room-graph.ts";
import { sourceFilesIn, sourceFolders } from "./source-files.ts";

const file = "rooms.json";
const lineWidth = 120;
const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });

const imports = new Map(sourceFolders().map((folder) => [folder, roomImports(folder, sourceFilesIn(folder))]));
if (values.write) {
  const listed = [...imports].map(([folder, found]) => [folder, edgesOf(found)] as const);
  writeFileSync(file, `${textOf(Object.fromEntries(listed))}\n`);
}
// The file is ours: what it holds beside this form fails below, as not listed.
const allowed = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, AllowedImports>>;

const faults = [
  ...Object.keys(allowed)
    .filter((folder) => !imports.has(folder))
    .map((folder) => `${file} lists ${folder}, which is not there`),
  ...[...imports].flatMap(([folder, found]) => faultsOf(folder, found, allowed[folder] ?? {})),
];
for (const fault of faults) process.stderr.write(`${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
else process.stdout.write(`The imports between rooms are those that ${file} lists (${imports.size} packages)\n`);

function faultsOf(folder: string, found: readonly RoomImport[], rooms: AllowedImports): readonly string[] {
  const cycle = cycleIn(rooms);
  const needed = edgesOf(found);
  return [
    ...found
      .filter(({ from, to }) => rooms[from]?.includes(to) !== true)
      .map(({ from, to, path }) => `${path} imports ${to}, which ${file} does not allow ${from} of ${folder}`),
    ...Object.entries(rooms).flatMap(([from, tos]) =>
      tos
        .filter((to) => needed[from]?.includes(to) !== true)
        .map((to) => `${file} lets ${from} of ${folder} import ${to}, which it does not: remove the line`),
    ),
    ...(cycle === undefined ? [] : [`${file} lists a cycle in ${folder}: ${cycle.join(" -> ")}`]),
  ];
}

/** The rooms that each room imports, sorted; a room that imports none is left out. */
function edgesOf(found: readonly RoomImport[]): AllowedImports {
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of found) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  return Object.fromEntries([...edges].sort().map(([from, tos]) => [from, [...tos].sort()]));
}

/** JSON with one line for each room, as Biome formats it. */
function textOf(listed: Readonly<Record<string, AllowedImports>>): string {
  return JSON.stringify(listed, undefined, 2).replace(
    /^( *"[\w-]+": )(\[[^\]]*\])(,?)$/gm,
    (line, ...parts: string[]) => {
      const [name = "", list = "", comma = ""] = parts;
      const short = `${name}${list.replace(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]")}${comma}`;
      return short.length <= lineWidth ? short : line;
    },
  );
}
