import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What auto_explain says of one statement that was carried out. */
export interface Plan {
  readonly statement: string;
  /** Pages of tables and indexes that were touched, in memory or not. */
  readonly buffers: number;
  /** Searches of an index from its root. */
  readonly searches: number;
  /** The tables that rows were written to, one for each row. */
  readonly written: readonly string[];
}

/** The settings of a server whose log `readPlans` reads. Plans are logged while `log_min_duration` is 0. */
export const planSettings = {
  shared_preload_libraries: "auto_explain",
  "auto_explain.log_analyze": "on",
  "auto_explain.log_buffers": "on",
  "auto_explain.log_timing": "off",
  "auto_explain.log_format": "json",
} as const;

/** Reads the plans that were logged since the last call. */
export function createPlanReader(logFile: string): () => readonly Plan[] {
  const file = openSync(logFile, "r");
  let position = fstatSync(file).size;
  process.once("exit", () => closeSync(file));
  return () => {
    const length = fstatSync(file).size - position;
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, position);
    position += length;
    return plansIn(bytes.toString("utf8"));
  };
}

/**
 * The plans in a server's log. Lines that continue an entry begin with a tab. An entry is left out where it is not
 * whole: sessions write to one file, and the last entry may be being written.
 */
export function plansIn(log: string): readonly Plan[] {
  const entries = log.matchAll(/LOG: {2}duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/g);
  return [...entries].flatMap(([, json = ""]) => {
    try {
      return [planOf(JSON.parse(json.replaceAll("\n\t", "\n").slice(1)) as Logged)];
    } catch {
      return [];
    }
  });
}

interface Logged {
  readonly "Query Text": string;
  readonly Plan: PlanNode;
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Index Searches"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

function planOf({ "Query Text": statement, Plan }: Logged): Plan {
  const nodes = [...nodesOf(Plan)];
  return {
    statement: statement.replaceAll(/\s+/g, " ").trim(),
    buffers: Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"],
    searches: nodes.reduce((sum, node) => sum + (node["Index Searches"] ?? 0), 0),
    written: nodes.flatMap((node) => (node["Node Type"] === "ModifyTable" ? writtenBy(node) : [])),
  };
}

/** What a statement does not return it has written nevertheless: its rows are those of the node below. */
function writtenBy({ "Relation Name": table = "", Plans: [below] = [] }: PlanNode): readonly string[] {
  return Array.from({ length: Math.round(below?.["Actual Rows"] ?? 0) }, () => table);
}

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const below of node.Plans ?? []) yield* nodesOf(below);
}
