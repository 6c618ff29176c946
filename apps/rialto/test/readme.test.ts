import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = new URL("../../../", import.meta.url).pathname;

describe("the README", () => {
  let folder: string;
  let port: number;
  let system: ReturnType<typeof spawn>;
  let output = "";

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rialto-readme-"));
    // Postgres runs as another user under root and must be able to read the folder.
    await chmod(folder, 0o755);
    port = await freePort();
    const env = Object.fromEntries(
      Object.entries(process.env).filter(
        ([key]) => !/^(RIALTO_|REDIS_URL|DATABASE_URL|SMTP_URL|VITEST|NODE_ENV)/.test(key),
      ),
    );
    // The README assumes the clone as the working directory. The test uses its own folder, where .rialto/ is.
    system = spawn(process.execPath, [join(root, "apps/rialto/src/main.ts")], {
      cwd: folder,
      env: { ...env, PORT: String(port) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ready = new Promise<void>((resolve, reject) => {
      system.stdout?.on("data", (chunk) => {
        output += String(chunk);
        if (/^Rialto is ready/m.test(output)) resolve();
      });
      system.stderr?.on("data", (chunk) => {
        output += String(chunk);
      });
      system.once("exit", () => reject(new Error(`ended early:\n${output}`)));
    });
    await ready;
  });

  afterAll(async () => {
    if (system.exitCode === null) {
      const exited = once(system, "exit");
      system.kill("SIGTERM");
      await exited;
    }
    await rm(folder, { recursive: true, force: true });
  }, 30_000);

  it("leads to a CONFIRMED order and its mail, line by line", async () => {
    const answer = await run(await shellLines("## The first order"));
    expect(answer).toContain('"status":"CONFIRMED"');
    expect(answer).toMatch(/^To: .*ada@example\.com/m);
    expect(answer).toContain('{"order":{"id":');
  });

  it("is told the same by the lines that the start prints", async () => {
    const printed = output.slice(output.indexOf("Rialto is ready")).split("\n");
    const lines = printed.filter((line) => /^\s+(curl|[A-Z]+=)/.test(line)).map((line) => line.trim());
    expect(lines.length).toBeGreaterThan(2);
    expect(await run(`${lines.slice(0, -1).join("\n")}\nsleep 2\n${lines.at(-1)}`)).toContain('"status":"CONFIRMED"');
  });

  it("names only scripts that there are", async () => {
    const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const texts = await Promise.all(["README.md", "CONTRIBUTING.md"].map((name) => readFile(join(root, name), "utf8")));
    const named = texts.flatMap((text) => [...text.matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name ?? ""));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  /** The shell commands under a heading, unchanged except for the port. */
  async function shellLines(heading: string): Promise<string> {
    const readme = await readFile(join(root, "README.md"), "utf8");
    const from = readme.indexOf(heading);
    const section = readme.slice(from, readme.indexOf("\n## ", from + heading.length));
    return [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines).join("\n");
  }

  async function run(lines: string): Promise<string> {
    const here = lines.replaceAll("localhost:8080", `localhost:${port}`);
    const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here], { cwd: folder });
    return stdout;
  }
});
