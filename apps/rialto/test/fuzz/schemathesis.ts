import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const version = "4.32.5";
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rialto-test", `schemathesis-${version}`);
const hooks = join(import.meta.dirname, "hooks.py");
const installMsMax = 300_000;

/**
 * schemathesis in its own Python environment, which is created at first use. Returns undefined, and reports why, if it
 * is not available.
 */
export async function schemathesis(): Promise<string | undefined> {
  const file = join(folder, "bin", "schemathesis");
  if (existsSync(file)) return file;
  if (spawnSync("python3", ["--version"]).status !== 0) return without("python3 is not installed");
  mkdirSync(folder, { recursive: true });
  const run = promisify(execFile);
  const installed = await run("python3", ["-m", "venv", folder])
    .then(() =>
      run(join(folder, "bin", "pip"), ["install", "-q", `schemathesis==${version}`], { timeout: installMsMax }),
    )
    .catch((error: Error) => error);
  return installed instanceof Error ? without(installed.message.split("\n", 2).join(" ")) : file;
}

function without(why: string): undefined {
  process.stderr.write(`Left out: the property-based run of the OpenAPI document (${why})\n`);
}

/** The totals of a run. */
export interface Figures {
  readonly requests: number;
  /** Requests that are valid by the document, and how many of them got 2xx. */
  readonly valid: number;
  readonly validAnswered2xx: number;
  readonly serverErrors: number;
  readonly operations: Readonly<
    Record<string, { requests: number; valid: number; ok: number; statuses: Readonly<Record<string, number>> }>
  >;
}

/** Runs it once. Returns its report if a check failed. */
export async function runOnce(
  program: string,
  o: {
    readonly url: string;
    readonly state: string;
    readonly figures: string;
    readonly seed: number;
    readonly examplesMax: number;
  },
): Promise<{ readonly figures: Figures; readonly report: string | undefined }> {
  const checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
  const args = [
    ...["run", `${o.url}/openapi.json`, "--phases", "examples,coverage,fuzzing", "--checks", checks],
    ...["--max-examples", `${o.examplesMax}`, "--seed", `${o.seed}`, "--generation-database", "none", "--workers", "1"],
    ...["--continue-on-failure", "--no-color", "--no-shrink", "--warnings", "off", "--suppress-health-check", "all"],
  ];
  const child = spawn(program, args, {
    env: {
      ...process.env,
      // Python's cache beside the hooks is not a source, and would change the inputs of the tests' cache.
      PYTHONDONTWRITEBYTECODE: "1",
      SCHEMATHESIS_HOOKS: hooks,
      RIALTO_FUZZ_STATE: o.state,
      RIALTO_FUZZ_FIGURES: o.figures,
    },
    // It creates a folder in its working directory.
    cwd: dirname(o.figures),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  child.stdout.on("data", (chunk) => output.push(String(chunk)));
  child.stderr.on("data", (chunk) => output.push(String(chunk)));
  const [code] = await once(child, "close");
  const figures: Figures = JSON.parse(await readFile(o.figures, "utf8"));
  return { figures, report: code === 0 ? undefined : output.join("") };
}
