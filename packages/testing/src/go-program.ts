import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** A program of a Go module. */
export interface GoProgram {
  readonly name: string;
  /** The module's path, without its version: "github.com/fullstorydev/grpcurl". */
  readonly module: string;
  readonly version: string;
  /** The folder of the program in its module. */
  readonly folder: string;
}

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rialto-test");
const downloadMsMax = 300_000;
const buildMsMax = 1_200_000;
const run = promisify(execFile);

/**
 * Returns the file of a program, built by Go into a cache folder the first time; undefined, with what is left out said
 * by name, where it cannot be had. It is built inside its own module, with the versions and replacements that it has
 * there, which `go install` refuses to do.
 */
export async function goProgram(
  { name, module, version, folder }: GoProgram,
  leftOut: string,
): Promise<string | undefined> {
  const without = (why: string) => void process.stderr.write(`Left out: ${leftOut} (${why})\n`);
  const place = join(cache, `${name}-${version}`);
  const file = join(place, name);
  if (existsSync(file)) return file;
  const go = ["go", "/usr/local/go/bin/go"].find((program) => spawnSync(program, ["version"]).status === 0);
  if (go === undefined) return without("Go is not installed");
  mkdirSync(place, { recursive: true });
  // Others may build it at the same time: each builds its own, and the last one stays.
  const own = mkdtempSync(join(place, "build-"));
  try {
    const download = ["mod", "download", "-json", `${module}@${version}`];
    const { stdout } = await run(go, download, { cwd: own, timeout: downloadMsMax });
    const source = String(JSON.parse(stdout).Dir);
    const build = ["build", "-p=1", "-o", join(own, name), `./${folder}`];
    await run(go, build, { cwd: source, timeout: buildMsMax });
    renameSync(join(own, name), file);
    return file;
  } catch (error) {
    return without(`Go does not build it: ${error instanceof Error ? error.message.split("\n", 2).join(" ") : error}`);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
