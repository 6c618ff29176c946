import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const outputBytesMax = 64 * 1024 * 1024;

/** Runs a program to its end and returns what it printed. Rejects, with its errors, where it fails. */
export async function runProgram(
  program: string,
  args: readonly string[],
  o: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { ...o, maxBuffer: outputBytesMax });
  return stdout;
}

/** Runs a program to its end and shows what it prints. Throws where it fails. */
export function showProgram(program: string, args: readonly string[], cwd: string, env?: NodeJS.ProcessEnv): void {
  execFileSync(program, args, { cwd, stdio: "inherit", ...(env === undefined ? {} : { env }) });
}

/** Finds a program in PATH or in these folders. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  return [...(process.env.PATH ?? "").split(delimiter), ...folders]
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
