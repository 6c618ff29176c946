import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "@rialto/testing";

/** A Prometheus that scrapes one process. */
export interface Prometheus {
  /** Evaluates a query now. Rejects with Prometheus' error. */
  query(expr: string): Promise<readonly Sample[]>;
  /** The values of a label of a metric. */
  labelValues(label: string, metric: string): Promise<readonly string[]>;
  /** The alerts of its rule files, and what became of their last evaluation. */
  alerts(): Promise<readonly RuleState[]>;
  stop(): Promise<void>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RuleState {
  readonly name: string;
  readonly state: "inactive" | "pending" | "firing";
  readonly health: "ok" | "err" | "unknown";
  readonly lastError?: string;
}

const readyMsMax = 60_000;
const answerMsMax = 10_000;
/** How long it may take to end before it is killed. */
const endMsMax = 10_000;

/** Returns which of these programs are missing on this machine. */
export async function missingPrograms(programs: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.allSettled(
    programs.map(async (program) => {
      await promisify(execFile)(program, ["--version"], { timeout: answerMsMax });
    }),
  );
  return programs.filter((_, n) => found[n]?.status === "rejected");
}

/** Starts Prometheus on this machine only, with a rule file. It scrapes `target` each second, as the job "rialto". */
export async function startPrometheus(o: { readonly target: string; readonly ruleFile: string }): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "rialto-prometheus-"));
  const file = join(folder, "prometheus.yml");
  // JSON is YAML.
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [o.ruleFile],
    scrape_configs: [{ job_name: "rialto", static_configs: [{ targets: [o.target] }] }],
  };
  await writeFile(file, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const options = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=${address}`,
    "--log.level=warn",
  ];
  const child = spawn("prometheus", options, { stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  child.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(`http://${address}/api/v1/${path}`, { signal: AbortSignal.timeout(answerMsMax) });
    // What Prometheus documents of its answers.
    const body = (await answer.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== "success") throw new Error(body.error ?? `HTTP ${answer.status}`);
    return body.data;
  };
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  for (const until = Date.now() + readyMsMax; !(await isReady(address)); await sleep(100)) {
    if (!hasEnded(child) && Date.now() < until) continue;
    await stop();
    throw new Error(`Prometheus does not start:\n${output}`);
  }
  return {
    async query(expr) {
      const { resultType, result } = (await ask(`query?query=${encodeURIComponent(expr)}`)) as QueryData;
      if (resultType !== "vector") throw new Error(`the result is a ${resultType}`);
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async labelValues(label, metric) {
      return (await ask(`label/${label}/values?match[]=${encodeURIComponent(metric)}`)) as string[];
    },
    async alerts() {
      const { groups } = (await ask("rules?type=alert")) as { groups: { rules: RuleState[] }[] };
      return groups.flatMap(({ rules }) => rules);
    },
    stop,
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), endMsMax);
  await exited;
  clearTimeout(kill);
}

interface QueryData {
  readonly resultType: string;
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[];
}

async function isReady(address: string): Promise<boolean> {
  return await fetch(`http://${address}/-/ready`, { signal: AbortSignal.timeout(answerMsMax) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
