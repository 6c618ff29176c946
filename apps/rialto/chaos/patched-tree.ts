import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { copyTree } from "./tree-copy.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** A copy of the tree with a patch applied, and the harness of that copy. */
export interface PatchedTree {
  /** Runs the harness of the copy. Removes nothing: the caller removes `folder` when it has looked at it. */
  run(args: readonly string[]): Promise<HarnessRun>;
  /** Runs one test file of a workspace of the copy. */
  test(workspace: string, file: string): Promise<Pick<HarnessRun, "code" | "output">>;
}

/** How a run of the harness ended. */
export interface HarnessRun {
  readonly code: number | null;
  readonly output: string;
  /** The folder of the run, with its logs and data; undefined where it was removed by the run. */
  readonly folder: string | undefined;
}

/** Copies the tree, applies the patch (a path below `chaos/`), and hands the copy to `work`. Removes it afterwards. */
export async function withPatchedTree(patch: string, work: (tree: PatchedTree) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), "rialto-patched-"));
  try {
    // Postgres runs as another user under root and must be able to read its binaries here.
    chmodSync(copy, 0o755);
    copyTree(root, copy);
    execFileSync("git", ["apply", "-C1", new URL(patch, import.meta.url).pathname], { cwd: copy });
    await work({
      run: (args) => runHarness(copy, args),
      test: (workspace, file) =>
        runNode(join(copy, workspace), [join(copy, "node_modules/vitest/vitest.mjs"), "run", file]),
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function runHarness(copy: string, args: readonly string[]): Promise<HarnessRun> {
  const { code, output } = await runNode(copy, [join(copy, "apps/rialto/chaos/chaos.ts"), ...args]);
  const folder = /system and accounts ready after \d+ s: (\S*rialto-chaos-\S+)/.exec(output)?.[1];
  return { code, output, folder };
}

async function runNode(cwd: string, args: readonly string[]): Promise<Pick<HarnessRun, "code" | "output">> {
  const env = { ...process.env, NO_COLOR: "1" };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { code, output };
}

/** Removes what a run of the harness has left. */
export function removeFolder({ folder }: HarnessRun): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}
