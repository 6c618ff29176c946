import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Opens telemetry and metrics that nobody reads, and prints which modules of OpenTelemetry that loaded. */
const program = (o: object) => `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({
    load(url, context, next) {
      if (url.includes("/@opentelemetry/")) loaded.push(url);
      return next(url, context);
    },
  });
  const { openMetrics, openTelemetry } = await import("./src/index.ts");
  const { facts, traces, tracingOf } = await openTelemetry({ onExportChange() {}, ...${JSON.stringify(o)} });
  await openMetrics({ name: "a service", facts, onExported() {} });
  console.log(JSON.stringify({ loaded, isOff: traces === undefined && tracingOf("a service") === undefined }));
`;

it.each([
  ["a service", { config: {}, production: false }],
  ["a gateway in production", { config: {}, production: true, keepsTraces: true }],
  ["a gateway with OTEL_SDK_DISABLED", { config: { disabled: true }, production: false, keepsTraces: true }],
])("telemetry of %s that goes nowhere does not load the SDK", async (_, o) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program(o)], {
    cwd: new URL("..", import.meta.url),
  });
  expect(JSON.parse(stdout)).toEqual({ loaded: [], isOff: true });
});
