import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { goProgram } from "../go-program.ts";
import { freePort } from "./free-port.ts";
import { type ReceivedSpan, spansIn } from "./otlp-receiver.ts";

/** A Jaeger of a test's own: an OTLP receiver that others made, and the API that says what it stored. */
export interface Jaeger {
  /** For OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. It takes traces only. */
  readonly tracesUrl: string;
  /** The spans of a trace as its query API returns them; none where it has no such trace. */
  spansOf(traceId: string): Promise<readonly ReceivedSpan[]>;
  /** All spans of the traces that a service has a part in, of the last hour. */
  spansBeside(service: string): Promise<readonly ReceivedSpan[]>;
  close(): Promise<void>;
}

/** All of Jaeger in one process, which keeps traces in memory. Its own pages are placeholders in the module. */
const program = {
  name: "all-in-one",
  module: "github.com/jaegertracing/jaeger",
  version: "v1.76.0",
  folder: "cmd/all-in-one",
} as const;

const startMsMax = 30_000;
const startPollMs = 50;
const hourMs = 3_600_000;
const tracesMax = 10_000;
const saidCharsMax = 4_000;

/** Starts Jaeger; undefined, with what is left out said by name, where it cannot be had. */
export async function startJaeger(leftOut: string): Promise<Jaeger | undefined> {
  const file = await goProgram(program, leftOut);
  if (file === undefined) return undefined;
  const ports = {
    "collector.otlp.http": await freePort(),
    "collector.otlp.grpc": await freePort(),
    "collector.http-server": await freePort(),
    "collector.grpc-server": await freePort(),
    "query.http-server": await freePort(),
    "query.grpc-server": await freePort(),
    "admin.http": await freePort(),
  };
  const flags = Object.entries(ports).map(([name, port]) => `--${name}.host-port=127.0.0.1:${port}`);
  const child = spawn(file, [...flags, "--log-level=error"], {
    env: { ...process.env, SPAN_STORAGE_TYPE: "memory", OTEL_TRACES_SAMPLER: "always_off" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said = (said + chunk).slice(-saidCharsMax);
  });
  const stop = () => void child.kill("SIGKILL");
  process.once("exit", stop);
  const close = async () => {
    process.removeListener("exit", stop);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  const isReady = () =>
    fetch(`http://127.0.0.1:${ports["admin.http"]}/`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (let waitedMs = 0; !(await isReady()); waitedMs += startPollMs) {
    if (child.exitCode !== null || waitedMs > startMsMax) {
      await close();
      throw new Error(`Jaeger does not start: ${said}`);
    }
    await sleep(startPollMs);
  }
  async function ask(query: string): Promise<readonly ReceivedSpan[]> {
    const answer = await fetch(`http://127.0.0.1:${ports["query.http-server"]}/api/v3/traces${query}`);
    if (answer.status === 404) return [];
    if (!answer.ok) throw new Error(`Jaeger answers ${answer.status}: ${await answer.text()}`);
    const body: unknown = await answer.json();
    return spansIn(typeof body === "object" && body !== null ? Reflect.get(body, "result") : undefined);
  }
  return {
    tracesUrl: `http://127.0.0.1:${ports["collector.otlp.http"]}/v1/traces`,
    // Raw, as they came: without the corrections that its pages make to times and references.
    spansOf: (traceId) => ask(`/${traceId}?raw_traces=true`),
    spansBeside(service) {
      const now = Date.now();
      const query = new URLSearchParams({
        "query.service_name": service,
        "query.start_time_min": new Date(now - hourMs).toISOString(),
        "query.start_time_max": new Date(now + hourMs).toISOString(),
        "query.num_traces": String(tracesMax),
        "query.raw_traces": "true",
      });
      return ask(`?${query}`);
    },
    close,
  };
}
