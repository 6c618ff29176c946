import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { writeLinesTo } from "../src/standard-output.ts";

it("a line is in its file when the write returns, whatever its characters are", () => {
  const folder = mkdtempSync(join(tmpdir(), "rialto-lines-"));
  const file = join(folder, "log");
  const fd = openSync(file, "w");
  onTestFinished(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const output = writeLinesTo(fd);
  const lines = ["one\n", "zwei äöü €\n", "drei 😀\n"];
  for (const [index, line] of lines.entries()) {
    output.write(line);
    expect(readFileSync(file, "utf8")).toBe(lines.slice(0, index + 1).join(""));
  }
});

// The standard output of such a process is a pipe that takes 64 KiB, and what it takes no more of fails with EAGAIN.
it("lines that a reader takes late arrive as a whole, and in their order", async () => {
  const module = JSON.stringify(new URL("../src/standard-output.ts", import.meta.url).href);
  const program = `
    process.stdout.write("");
    const { writeLinesTo } = await import(${module});
    const output = writeLinesTo(1);
    for (let n = 0; n < 40; n += 1) output.write(n + " " + "ä".repeat(5_000) + "\\n");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await sleep(300);
  const parts: Buffer[] = [];
  for await (const part of child.stdout) parts.push(part);
  await exited;
  const wanted = Array.from({ length: 40 }, (_, n) => `${n} ${"ä".repeat(5_000)}\n`).join("");
  expect(Buffer.concat(parts).toString() === wanted).toBe(true);
});
