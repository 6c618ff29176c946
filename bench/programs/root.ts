import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Keys } from "./keys.ts";

/** The checkout whose code a program runs: this one's, or one of the state before. */
const root = process.env.BENCH_ROOT ?? new URL("../../", import.meta.url).pathname;

/** Imports a module of that checkout. `T` is its type in this checkout, of which a program uses what both have. */
export async function ours<T>(path: string): Promise<T> {
  return import(pathToFileURL(join(root, path)).href) as Promise<T>;
}

/** Imports what a package of that checkout depends on, as that package would. */
export async function oursOf<T>(importer: string, name: string): Promise<T> {
  const { resolve } = createRequire(join(root, importer, "package.json"));
  return import(pathToFileURL(resolve(name)).href) as Promise<T>;
}

/** The port that a program listens to. */
export const port = Number(process.argv[2]);

/** The keys that the bench gave it. */
export function givenKeys(): Keys {
  const text = process.env.BENCH_KEYS;
  if (text === undefined) throw new Error("BENCH_KEYS is missing");
  return JSON.parse(text) as Keys;
}

/** Calls it when the bench ends the program. */
export function onStop(stop: () => Promise<void>): void {
  process.once("SIGTERM", () => void stop().finally(() => process.exit(0)));
}
