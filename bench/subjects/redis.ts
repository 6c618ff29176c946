import { type Child, freePort, startChild } from "./child.ts";

/** A Redis for jobs, as a program that can be started. */
export function redisProgram(command: string | undefined, port: number) {
  return {
    name: "redis",
    command: command ?? "redis-server",
    // As a queue needs it to keep its jobs: appended each second, as Redis' own documentation advises.
    args: ["--port", `${port}`, "--bind", "127.0.0.1", "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
    port,
  };
}

/** Starts a Redis for jobs whose files are in the folder. */
export async function startRedis(
  command: string | undefined,
  folder: string,
): Promise<Child & { readonly url: string }> {
  const port = await freePort();
  const child = await startChild({ ...redisProgram(command, port), cwd: folder, folder });
  return { ...child, url: `redis://127.0.0.1:${port}` };
}
