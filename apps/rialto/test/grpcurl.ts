import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const version = "v1.9.3";
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rialto-test", `grpcurl-${version}`);
const installMsMax = 600_000;

/** Runs grpcurl and gives what it prints. */
export type Grpcurl = (...args: readonly string[]) => Promise<string>;

/** grpcurl, built by Go into a cache folder the first time; undefined, with the reason said by name, where it cannot be had. */
export async function grpcurl(): Promise<Grpcurl | undefined> {
  const file = join(folder, "grpcurl");
  if (!existsSync(file)) {
    if (spawnSync("go", ["version"]).status !== 0) return without("Go is not installed");
    mkdirSync(folder, { recursive: true });
    const env = { ...process.env, GOBIN: folder, GOFLAGS: "-p=1" };
    const built = await promisify(execFile)(
      "go",
      ["install", `github.com/fullstorydev/grpcurl/cmd/grpcurl@${version}`],
      {
        env,
        timeout: installMsMax,
      },
    ).catch((error: Error) => error);
    if (built instanceof Error) return without(`go install failed: ${built.message.split("\n", 2).join(" ")}`);
  }
  return async (...args) => (await promisify(execFile)(file, [...args], { timeout: 60_000 })).stdout;
}

function without(why: string): undefined {
  process.stderr.write(`Left out: grpcurl against the gateway's reflection (${why})\n`);
}
