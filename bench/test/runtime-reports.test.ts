import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRuntimeReports, type RuntimeReports } from "../measure/runtime-reports.ts";

/** Collects garbage and blocks its event loop, says so, and goes on living. */
const busy = `
  const { setFlagsFromString } = require("node:v8");
  setFlagsFromString("--expose-gc");
  require("node:vm").runInNewContext("gc")();
  setTimeout(() => {
    const until = performance.now() + 300;
    while (performance.now() < until);
    setTimeout(() => process.stdout.write("blocked"), 50);
  }, 50);
  setInterval(() => undefined, 1_000);
`;

describe("a Node process under test", () => {
  let reports: RuntimeReports;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    reports = openRuntimeReports();
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    reports.close();
  });

  async function start(code: string): Promise<void> {
    const child = spawn(process.execPath, ["-e", code], { env: { ...process.env, ...reports.env } });
    children.push(child);
    await once(child.stdout, "data");
  }

  it("reports how late its event loop was, and its longest GC pause; then begins anew", async () => {
    await start(busy);
    const report = await reports.ask();
    expect(report?.loopDelayMs).toBeGreaterThan(0);
    expect(report?.gcPauseMs).toBeGreaterThan(0);
    // Asked again, since a collection may fall between two reports.
    await expect.poll(async () => (await reports.ask())?.gcPauseMs).toBe(0);
  });

  it("is asked again where it started later, and is forgotten where it ended", async () => {
    expect(await reports.ask()).toBeUndefined();
    await start('process.stdout.write("up"); setInterval(() => undefined, 1_000)');
    expect(await reports.ask()).toBeDefined();
    const [child] = children.splice(0);
    const exited = child === undefined ? undefined : once(child, "exit");
    child?.kill("SIGKILL");
    await exited;
    expect(await reports.ask()).toBeUndefined();
  });
});
