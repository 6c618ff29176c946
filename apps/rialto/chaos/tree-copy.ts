import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Copies the working tree, including uncommitted changes, so that it can be patched. Third-party packages are links to
 * the originals; our own packages, which node_modules links to, are the copies.
 */
export function copyTree(root: string, to: string): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  for (const path of listed.toString().split("\0")) {
    if (path === "") continue;
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true });
    try {
      copyFileSync(join(root, path), target);
    } catch (error) {
      // Listed, and deleted since.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  for (const workspace of ["", ...workspacesOf(root)]) linkModules(join(root, workspace), join(to, workspace));
}

/** npm installs conflicting versions in the workspaces' own node_modules. */
function workspacesOf(root: string): readonly string[] {
  return ["apps", "packages"].flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)));
}

function linkModules(from: string, to: string): void {
  for (const entry of entriesOf(join(from, "node_modules"))) {
    const source = join(from, "node_modules", entry.name);
    const target = join(to, "node_modules", entry.name);
    mkdirSync(dirname(target), { recursive: true });
    if (entry.name.startsWith("@")) {
      for (const scoped of entriesOf(source)) {
        mkdirSync(target, { recursive: true });
        link(scoped.isSymbolicLink(), join(source, scoped.name), join(target, scoped.name));
      }
    } else link(entry.isSymbolicLink(), source, target);
  }
}

/** npm's links to workspaces are relative: the same link text leads to the copy. */
function link(isWorkspace: boolean, source: string, target: string): void {
  symlinkSync(isWorkspace ? readlinkSync(source) : source, target);
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
