import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** Opens telemetry and metrics that nobody reads, and prints which modules of OpenTelemetry that loaded. */
const program = `
  import { registerHooks } from "node:module";
  const loaded = [];
  registerHooks({
    load(url, context, next) {
      if (url.includes("/@opentelemetry/")) loaded.push(url);
      return next(url, context);
    },
  });
  const { openMetrics, openTelemetry } = await import("./src/index.ts");
  const { facts } = await openTelemetry({ config: {}, production: false, onExportChange() {} });
  await openMetrics({ name: "a service", facts, onExported() {} });
  console.log(JSON.stringify(loaded));
`;

it("telemetry that goes nowhere does not load the SDK", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    cwd: new URL("..", import.meta.url),
  });
  expect(JSON.parse(stdout)).toEqual([]);
});
