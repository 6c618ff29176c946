import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/**
 * The machine's Chromium, without a window; undefined, with what is left out said by name, where there is none. It runs
 * without its sandbox, which root cannot start: it is shown our own pages and no others.
 */
export async function openChromium(leftOut: string): Promise<Browser | undefined> {
  const files = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "chromium"));
  const executablePath = files.find((file) => existsSync(file));
  if (executablePath !== undefined) return chromium.launch({ executablePath, chromiumSandbox: false });
  process.stderr.write(`Left out: ${leftOut} (chromium is not installed)\n`);
  return undefined;
}
