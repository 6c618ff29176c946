import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = new URL("../../../", import.meta.url);
let folder: string;
let loaded: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-loaded-"));
  loaded = await modulesOf("apps/rialto/src/rialto.ts");
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("what all services in one process load at their start", () => {
  it("has Drizzle as CommonJS, which costs a sixth of its ES modules", () => {
    const drizzle = loaded.filter((url) => url.includes("/node_modules/drizzle-orm/"));
    expect(drizzle.length).toBeGreaterThan(0);
    expect(drizzle.filter((url) => !url.endsWith(".cjs"))).toEqual([]);
  });

  it("has no exporter of telemetry, which is loaded where traces or metrics go somewhere", () => {
    expect(loaded.filter((url) => /\/node_modules\/@opentelemetry\/(sdk-|otlp-|exporter-)/.test(url))).toEqual([]);
  });

  it("has no embedded Postgres, which is loaded where no DATABASE_URL is given", () => {
    expect(loaded.filter((url) => url.includes("/packages/embedded-postgres/"))).toEqual([]);
  });

  it("has nothing that only tests need", () => {
    expect(loaded.filter((url) => /\/packages\/(testing|counting)\/|\/test\/|\/node_modules\/vite/.test(url))).toEqual(
      [],
    );
  });
});

describe("what a start loads before its configuration is read", () => {
  it("is no service, so that an embedded Postgres starts while they are loaded", async () => {
    const early = await modulesOf("apps/rialto/src/main.ts", { PORT: "eighty" });
    expect(early.filter((url) => url.includes("/packages/service/src/config/"))).not.toEqual([]);
    expect(early.filter((url) => /\/node_modules\/(drizzle-orm|bullmq|@bufbuild|@connectrpc)\//.test(url))).toEqual([]);
    expect(early.filter((url) => /\/apps\/(?!rialto\/)/.test(url) && !url.endsWith("/src/config.ts"))).toEqual([]);
  });
});

describe("npm start", () => {
  it("keeps what was compiled with the installation", async () => {
    const cache = new URL("node_modules/.cache/rialto-compiled/", root);
    // It ends at once, with a line about the variable.
    const env = { PATH: process.env.PATH, PORT: "eighty", RIALTO_DATA_DIR: folder };
    await expect(run(process.execPath, ["apps/rialto/start.js"], { cwd: root, env })).rejects.toThrow("PORT");
    const [version = ""] = await readdir(cache);
    expect((await readdir(new URL(`${version}/`, cache))).length).toBeGreaterThan(20);
  });
});

/** The URLs of all modules that a process has loaded once a module of ours is, or has ended it, in their order. */
async function modulesOf(path: string, variables: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const list = join(folder, "loaded");
  const hook = join(folder, "hook.mjs");
  await writeFile(
    hook,
    `import { registerHooks } from "node:module";
    import { writeFileSync } from "node:fs";
    const urls = [];
    registerHooks({ load: (url, context, next) => { urls.push(url); return next(url, context); } });
    process.on("exit", () => writeFileSync(${JSON.stringify(list)}, urls.join("\\n")));`,
  );
  const started = `await import(${JSON.stringify(new URL(path, root).href)}); process.exit(0)`;
  const env = { PATH: process.env.PATH, RIALTO_DATA_DIR: folder, ...variables };
  // What ends for a wrong variable has written its list too.
  await run(process.execPath, ["--import", hook, "--input-type=module", "-e", started], { cwd: root, env }).catch(
    (error: unknown) => {
      if (!String(error).includes("PORT")) throw error;
    },
  );
  return (await readFile(list, "utf8")).split("\n");
}
