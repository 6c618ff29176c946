import { execFile } from "node:child_process";
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The official suite, as its Go module has it. */
export interface Suite {
  /** The runner. */
  readonly program: string;
  /** The folder of its protos. */
  readonly protos: string;
}

const module = "connectrpc.com/conformance";
const version = "v1.0.7";
/** The first build is slow; a proxy that does not answer is not waited for longer. */
const buildMsMax = 10 * 60_000;
/** Where Go's own installer puts it, which not every PATH has. */
const usualGo = "/usr/local/go/bin/go";

const run = promisify(execFile);

/**
 * Builds the runner into `folder`, out of the Go module proxy or Go's cache. Undefined where there is no Go or the
 * module cannot be had, after saying so by `say`.
 */
export async function getSuite(folder: string, say: (line: string) => void): Promise<Suite | undefined> {
  const go = await findGo();
  if (go === undefined) {
    say("go is not installed: the conformance suite is left out");
    return undefined;
  }
  // A newer toolchain is not downloaded for it.
  const options = { env: { ...process.env, GOBIN: folder, GOTOOLCHAIN: "local" }, timeout: buildMsMax };
  await mkdir(folder, { recursive: true });
  try {
    await run(go, ["install", `${module}/cmd/connectconformance@${version}`], options);
    const { stdout } = await run(go, ["mod", "download", "-json", `${module}@${version}`], options);
    // Go's documented output (`go help mod download`).
    const { Dir } = JSON.parse(stdout) as { readonly Dir: string };
    return { program: join(folder, "connectconformance"), protos: join(Dir, "proto") };
  } catch (error) {
    const cause = error instanceof Error ? error.message.trim() : String(error);
    say(`${module}@${version} cannot be had: the conformance suite is left out\n${cause}`);
    return undefined;
  }
}

async function findGo(): Promise<string | undefined> {
  for (const go of ["go", usualGo]) {
    const isThere = go === "go" ? run(go, ["version"]) : access(go);
    if (
      await isThere.then(
        () => true,
        () => false,
      )
    )
      return go;
  }
  return undefined;
}
