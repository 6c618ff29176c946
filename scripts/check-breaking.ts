/**
 * Refuses a change to the contract that would break a caller: compares proto/ with what main held before the change.
 * "Before" is RIALTO_BASE_REF where it is set, else where this branch left origin/main, else the parent of HEAD.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const archiveBytesMax = 64 * 1024 * 1024;

process.exitCode = run();

function run(): number {
  const base = baseCommit();
  if (base === undefined) return nothingToCompare("HEAD has no parent");
  if (git("ls-tree", "--name-only", base, "proto/", "buf.yaml") === "")
    return nothingToCompare(`${base.slice(0, 12)} holds no proto/ and no buf.yaml`);

  const before = mkdtempSync(join(tmpdir(), "rialto-contract-"));
  try {
    const archive = execFileSync("git", ["archive", base], { maxBuffer: archiveBytesMax });
    execFileSync("tar", ["-x", "-C", before, "buf.yaml", "proto", "third_party"], { input: archive });
    process.stdout.write(`buf breaking: proto/ against ${base.slice(0, 12)}\n`);
    return spawnSync("buf", ["breaking", "--against", before], { stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(before, { recursive: true, force: true });
  }
}

function baseCommit(): string | undefined {
  const named = process.env.RIALTO_BASE_REF;
  if (named) {
    const commit = git("rev-parse", "--verify", "--quiet", `${named}^{commit}`);
    if (commit === undefined) throw new Error(`RIALTO_BASE_REF names ${named}, which this clone does not have`);
    return commit;
  }
  const left = git("merge-base", "HEAD", "origin/main");
  if (left !== undefined && left !== git("rev-parse", "HEAD")) return left;
  return git("rev-parse", "--verify", "--quiet", "HEAD^1");
}

function nothingToCompare(why: string): number {
  process.stdout.write(`buf breaking: left out, because ${why}: there is no earlier contract to compare with\n`);
  return 0;
}

/** What git prints, or undefined where it refuses (no such ref, no remote). */
function git(...args: string[]): string | undefined {
  const result = spawnSync("git", args, { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : undefined;
}
