/**
 * Runs every query of the dashboards and of the alert rules on a real Prometheus that scrapes a running system, and the
 * rules' tests by promtool. Exits with 1 where something fails, and with 3 where Prometheus is not installed.
 *
 *     npm run dashboards:check
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deployed } from "./deployed-queries.ts";
import { missingPrograms } from "./prometheus.ts";
import { checkQueries } from "./queries-run.ts";

const leftOutCode = 3;
const promtoolMsMax = 60_000;
const ruleFile = fileURLToPath(new URL("grafana/alerts.yml", deployed));

const missing = await missingPrograms(["prometheus", "promtool"]);
if (missing.length > 0) {
  process.stdout.write(`${missing.join(" and ")} not installed: no query and no alert is run\n`);
  process.exitCode = leftOutCode;
} else {
  const checks = [
    ["check", "rules", "--lint=all", ruleFile],
    ["test", "rules", fileURLToPath(new URL("grafana/alerts.test.yml", deployed))],
    ["check", "config", fileURLToPath(new URL("prometheus.yml", deployed))],
  ];
  const faults: string[] = [];
  for (const args of checks) faults.push(...(await promtool(args)));
  const { queries, series, faults: ofQueries } = await checkQueries(ruleFile);
  faults.push(...ofQueries);
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.stdout.write(`${queries} queries were run, ${series} series of them have a value; ${faults.length} faults\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

/** Runs promtool. Returns what it said where it failed. */
async function promtool(args: readonly string[]): Promise<readonly string[]> {
  try {
    await promisify(execFile)("promtool", args, { timeout: promtoolMsMax });
    process.stdout.write(`promtool ${args.slice(0, 2).join(" ")}: ok\n`);
    return [];
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string }; // of execFile
    return [`promtool ${args.join(" ")}:\n${stdout}${stderr}`];
  }
}
