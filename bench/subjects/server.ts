import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "../load/plan.ts";
import { openRuntimeReports } from "../measure/runtime-reports.ts";
import { type Child, freePort, startChild } from "./child.ts";
import type { Bench, Subject } from "./subject.ts";

/** Makes the load for a server that listens to this port. The folder is its own, until it is stopped. */
export type LoadOf = (at: { readonly port: number; readonly folder: string; readonly bench: Bench }) => Load;

/** A program of a subject. Each gets its port as `--port=N` or by `args`. */
export interface Program {
  readonly name: string;
  /** Node's where it is left out, and `args` begin with the script. */
  readonly command?: string | undefined;
  readonly args: (at: Ports & { readonly folder: string; readonly bench: Bench }) => readonly string[];
  readonly env?: (at: Ports & { readonly folder: string; readonly bench: Bench }) => Readonly<Record<string, string>>;
  /** Whether its CPU counts. It does where this is left out. */
  readonly isCounted?: boolean;
}

/** The port of each program of a subject by its name, and the one of the program that is put under load. */
interface Ports {
  readonly port: number;
  readonly portOf: (name: string) => number;
}

/** A subject of one or more programs, which start in this order; the last one is put under load. */
export function serverSubject(o: {
  readonly name: string;
  readonly programs: readonly Program[];
  readonly load: LoadOf;
  readonly missing?: string | undefined;
}): Subject {
  return {
    name: o.name,
    missing: o.missing,
    async start(bench) {
      // Nest and others read their certificates and the like from here; Postgres' user must be able to enter it.
      const folder = mkdtempSync(join(tmpdir(), "rialto-bench-"));
      const reports = openRuntimeReports();
      const ports = new Map<string, number>();
      for (const { name } of o.programs) ports.set(name, await freePort());
      const portOf = (name: string) => {
        const port = ports.get(name);
        if (port === undefined) throw new Error(`${o.name} has no program ${name}`);
        return port;
      };
      const started: Child[] = [];
      const counted: number[] = [];
      const stop = async () => {
        for (const child of started.toReversed()) await child.stop();
        reports.close();
        rmSync(folder, { recursive: true, force: true });
      };
      try {
        for (const program of o.programs) {
          const isCounted = program.isCounted !== false;
          const at = { port: portOf(program.name), portOf, folder, bench };
          const child = await startChild({
            name: program.name,
            command: program.command ?? process.execPath,
            args: program.args(at),
            env: {
              NODE_ENV: "production",
              BENCH_ROOT: bench.root,
              ...(isCounted ? reports.env : {}),
              ...program.env?.(at),
            },
            port: at.port,
            folder,
          });
          started.push(child);
          if (isCounted) counted.push(child.pid);
        }
      } catch (error) {
        await stop();
        throw error;
      }
      const last = o.programs.at(-1);
      if (last === undefined) throw new Error(`${o.name} has no program`);
      return { counted, load: o.load({ port: portOf(last.name), folder, bench }), ask: reports.ask, stop };
    },
  };
}

/** A script of the bench as a program of Node. */
export function script(
  path: string,
  o: { readonly name?: string; readonly isCounted?: boolean; readonly env?: Program["env"] } = {},
): Program {
  const file = new URL(`../${path}`, import.meta.url).pathname;
  return {
    name: o.name ?? path,
    args: ({ port }) => [file, `${port}`],
    ...(o.env === undefined ? {} : { env: o.env }),
    ...(o.isCounted === undefined ? {} : { isCounted: o.isCounted }),
  };
}
