import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface Options {
  /** Names of rows; all where there are none. */
  readonly names: readonly string[];
  readonly isQuick: boolean;
  /** Whether the table is written to docs/performance.md. */
  readonly writes: boolean;
  /** A checkout of the state before, with its packages installed. */
  readonly before: string | undefined;
  readonly pairs: number | undefined;
  readonly isHelp: boolean;
}

export const usage = `npm run bench -- [NAME...] [--quick] [--write] [--before PATH] [--pairs N]

  NAME           rows to measure; all where none is given
  --quick        short rounds: shows that a row runs, decides nothing
  --write        writes the table to docs/performance.md
  --before PATH  also measures the checkout at PATH, by the same programs
  --pairs N      pairs of rounds per comparison`;

/** Reads the command line. Throws where it is not understood. */
export function readOptions(args: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      before: { type: "string" },
      pairs: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(", ")}. Rows: ${known.join(", ")}`);
  const pairs = values.pairs === undefined ? undefined : Number(values.pairs);
  if (pairs !== undefined && !(Number.isInteger(pairs) && pairs >= 1))
    throw new Error("--pairs is a number of 1 or more");
  if (values.write && values.quick) throw new Error("what --quick measures is not written down");
  return {
    names: positionals,
    isQuick: values.quick,
    writes: values.write,
    before: values.before,
    pairs,
    isHelp: values.help,
  };
}
