import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, showProgram } from "./program.ts";

/** Programs that the bench needs, by their paths. What the machine lacks is undefined, and left out by name. */
export interface Tools {
  readonly wrk: string | undefined;
  readonly vegeta: string | undefined;
  readonly grpcClient: string | undefined;
  readonly connectGo: string | undefined;
  readonly nginx: string | undefined;
  readonly redis: string | undefined;
  readonly pgbench: string | undefined;
  /** Whether the baselines' packages are installed. */
  readonly baselines: boolean;
}

const bench = new URL("../", import.meta.url).pathname;
const built = join(bench, ".tools", "bin");
const goFolders = ["/usr/local/go/bin"];
const systemFolders = ["/usr/sbin", "/usr/local/sbin"];
const vegeta = "github.com/tsenart/vegeta/v12@v12.13.0";

/**
 * Installs the baselines' packages from their own lock file and builds the Go programs, where they are not there yet,
 * and finds the rest. Nothing outside `bench/` is changed.
 */
export function prepareTools(print: (line: string) => void): Tools {
  const go = findProgram("go", goFolders);
  return {
    wrk: findProgram("wrk"),
    vegeta: goTool("vegeta", go, print, (env) => showProgram(go ?? "", ["install", vegeta], bench, env)),
    grpcClient: goTool("grpc-client", go, print, build(go, "load/grpc-client")),
    connectGo: goTool("connect-go", go, print, build(go, "baselines/connect-go")),
    nginx: findProgram("nginx", systemFolders),
    redis: findProgram("redis-server"),
    pgbench: findProgram("pgbench"),
    baselines: installBaselines(print),
  };
}

type Build = (env: NodeJS.ProcessEnv) => void;

function build(go: string | undefined, folder: string): Build {
  return (env) => showProgram(go ?? "", ["build", "-o", `${built}/`, "."], join(bench, folder), env);
}

/** Builds a Go program once. A source that changed since is built again by Go itself, in no time where it did not. */
function goTool(name: string, go: string | undefined, print: (line: string) => void, make: Build): string | undefined {
  const program = join(built, name);
  if (go === undefined) return existsSync(program) ? program : undefined;
  if (name === "vegeta" && existsSync(program)) return program;
  mkdirSync(built, { recursive: true });
  try {
    make({ ...process.env, GOBIN: built });
    return program;
  } catch (error) {
    print(`${name} could not be built: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Runs `npm ci` in `baselines/`, where its lock file is not the one that was installed last. */
function installBaselines(print: (line: string) => void): boolean {
  const folder = join(bench, "baselines");
  const hash = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = join(folder, "node_modules", ".bench-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return true;
  print("installing the baselines");
  try {
    showProgram("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder);
    writeFileSync(stamp, hash);
    return true;
  } catch (error) {
    print(`the baselines could not be installed: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}
