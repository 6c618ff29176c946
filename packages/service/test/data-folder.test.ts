import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeOnce } from "../src/config/data-folder.ts";

const run = promisify(execFile);

/** Makes a file of 100 kB of one letter, so that half a file could be told from a whole one. */
const starter = `
const { makeOnce } = await import(${JSON.stringify(new URL("../src/config/data-folder.ts", import.meta.url).href)});
const [path, letter] = process.argv.slice(1);
const text = await makeOnce(path, async () => letter.repeat(100_000));
process.stdout.write(text[0] + " " + text.length + " " + new Set(text).size);
`;

describe("makeOnce", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "rialto-data-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("lets processes that start at the same moment agree on one whole file", async () => {
    const path = join(folder, "keys", "order.jwk");
    const letters = ["a", "b", "c", "d"];
    const starters = letters.map((letter) =>
      run(process.execPath, ["--input-type=module", "-e", starter, path, letter]),
    );
    const seen = new Set((await Promise.all(starters)).map(({ stdout }) => stdout));
    expect(seen.size).toBe(1);
    expect([...seen][0]).toMatch(/^[abcd] 100000 1$/);
    expect(await readdir(join(folder, "keys"))).toEqual(["order.jwk"]);
  });

  it("keeps what it made to its owner", async () => {
    const path = join(folder, "secret");
    await makeOnce(path, async () => "text");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing behind when the making fails", async () => {
    const failing = makeOnce(join(folder, "secret"), () => Promise.reject(new Error("no entropy")));
    await expect(failing).rejects.toThrow("no entropy");
    expect(await readdir(folder)).toEqual([]);
  });
});
