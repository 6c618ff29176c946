import { randomUUID } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Returns the text of a file that is made once and then never changed. Processes that start at the same moment agree: each writes a
 * file of its own and links it to the name, which only the first can do; the others read what the first wrote. Nobody ever sees half a file.
 */
export async function makeOnce(path: string, make: () => Promise<string>): Promise<string> {
  const found = await readIfThere(path);
  if (found !== undefined) return found;
  // Open to all, as the Postgres beside it may run as another user. What is secret is each file of ours.
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(await make());
      // A power cut after the link must not leave the name on an empty file.
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(path, "utf8");
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, "utf8");
    // A folder copied or unpacked with other rights still keeps its secrets to its owner.
    await chmod(path, 0o600).catch(() => undefined);
    return text;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
