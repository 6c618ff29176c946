import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const version = "v1.9.3";
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rialto-test", `grpcurl-${version}`);
const installMsMax = 600_000;

/**
 * Runs grpcurl and gives what it prints. Rejects with the error of `execFile`, whose `code` is 64 and gRPC's where the
 * call was refused.
 */
export type Grpcurl = (...args: readonly string[]) => Promise<string>;

/**
 * grpcurl, which calls by grpc-go, built by Go into a cache folder the first time; undefined, with what is left out
 * said by name, where it cannot be had.
 */
export async function grpcurl(leftOut: string): Promise<Grpcurl | undefined> {
  const without = (why: string) => void process.stderr.write(`Left out: ${leftOut} (${why})\n`);
  const file = join(folder, "grpcurl");
  if (!existsSync(file)) {
    const go = ["go", "/usr/local/go/bin/go"].find((program) => spawnSync(program, ["version"]).status === 0);
    if (go === undefined) return without("Go is not installed");
    mkdirSync(folder, { recursive: true });
    // Others may build it at the same time: each builds its own, and the last one stays.
    const own = mkdtempSync(join(folder, "build-"));
    const env = { ...process.env, GOBIN: own, GOFLAGS: "-p=1" };
    const built = await promisify(execFile)(go, ["install", `github.com/fullstorydev/grpcurl/cmd/grpcurl@${version}`], {
      env,
      timeout: installMsMax,
    }).catch((error: Error) => error);
    if (!(built instanceof Error)) renameSync(join(own, "grpcurl"), file);
    rmSync(own, { recursive: true, force: true });
    if (built instanceof Error) return without(`go install failed: ${built.message.split("\n", 2).join(" ")}`);
  }
  return async (...args) => (await promisify(execFile)(file, [...args], { timeout: 60_000 })).stdout;
}
