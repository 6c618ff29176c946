/**
 * Compares the tarball of third_party/postgres with its sources, file by file: the package that its author published,
 * of the integrity that upstream.json names, and our patches on top of it.
 *
 *     npm run vendored               # check
 *     npm run vendored -- --write    # make the tarball again; a new version also needs its name in every package.json
 *
 * The published package comes from npm's cache or the registry.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

interface Upstream {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  /** Applied in this order. */
  readonly patches: readonly string[];
  readonly tarball: string;
}

const source = new URL("../third_party/postgres/", import.meta.url).pathname;
const { values } = parseArgs({ options: { write: { type: "boolean", default: false } } });
// The file is ours: a wrong field fails below.
const upstream: Upstream = JSON.parse(readFileSync(join(source, "upstream.json"), "utf8"));
const work = mkdtempSync(join(tmpdir(), "rialto-vendored-"));
try {
  const patched = patchedPackage();
  if (values.write) copyFileSync(pack(patched), join(source, upstream.tarball));
  const faults = differences(patched, unpack(join(source, upstream.tarball), "vendored"));
  for (const fault of faults) process.stderr.write(`${upstream.tarball}: ${fault}\n`);
  if (faults.length > 0) process.exitCode = 1;
  else process.stdout.write(`${upstream.tarball} is ${upstream.name} ${upstream.version} with our patches\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Returns a folder with the published package, patched. */
function patchedPackage(): string {
  const tarball = pack(`${upstream.name}@${upstream.version}`);
  const found = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (found !== upstream.integrity) throw new Error(`the registry's package is another one: its integrity is ${found}`);
  const folder = unpack(tarball, "patched");
  // Without the ceiling, git would take a repository above the folder for the one to patch, and skip the files.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: work };
  for (const patch of upstream.patches) execFileSync("git", ["apply", join(source, patch)], { cwd: folder, env });
  return folder;
}

/** Returns the path of the tarball that npm makes of a folder, or gets from the registry. */
function pack(spec: string): string {
  const options = ["--json", "--ignore-scripts", "--pack-destination", work];
  const [packed] = JSON.parse(execFileSync("npm", ["pack", spec, ...options], { cwd: work, encoding: "utf8" }));
  return join(work, packed.filename);
}

function unpack(tarball: string, name: string): string {
  const folder = join(work, name);
  mkdirSync(folder);
  execFileSync("tar", ["-xzf", tarball, "-C", folder]);
  return join(folder, "package");
}

function differences(expected: string, found: string): readonly string[] {
  const files = (folder: string) =>
    new Map(
      globSync("**", { cwd: folder, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [path.slice(folder.length + 1), readFileSync(path)] as const),
    );
  const [left, right] = [files(expected), files(found)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((name) => {
    const [wanted, given] = [left.get(name), right.get(name)];
    if (wanted === undefined) return [`${name} is not in the patched package`];
    if (given === undefined) return [`${name} is missing`];
    return wanted.equals(given) ? [] : [`${name} differs from the patched package`];
  });
}
