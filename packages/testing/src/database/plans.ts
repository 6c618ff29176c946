import type { Sql } from "@rialto/database";

/** A node of a plan, as `explain (analyze, buffers, format json)` writes it. */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

/** How Postgres carried out a statement. */
export interface Plan {
  readonly statement: string;
  /** The indexes that were read. */
  readonly indexes: readonly string[];
  /** The tables that were read from their first row to their last. */
  readonly scanned: readonly string[];
  /** The most rows that were sorted at once. */
  readonly sortedRows: number;
  /** Rows of tables that were read, those that a filter removed included. */
  readonly readRows: number;
  /** Pages of tables and indexes that were read, from memory or not. */
  readonly buffers: number;
}

/**
 * Explains the statements of a pool that read, each as it is sent, and carries them out as always. Queries of Drizzle
 * on the same pool are explained too.
 */
export function explained(sql: Sql): { readonly sql: Sql; readonly plans: () => Promise<readonly Plan[]> } {
  const plans: Promise<Plan>[] = [];
  const options = "explain (analyze, buffers, format json)";
  const planOf = async (rows: PromiseLike<readonly object[]>): Promise<Plan> => {
    // Postgres answers with one row of one column.
    const [row] = (await rows) as readonly { readonly "QUERY PLAN": readonly { readonly Plan: PlanNode }[] }[];
    const root = row?.["QUERY PLAN"][0]?.Plan;
    if (root === undefined) throw new Error("Postgres explained nothing");
    return { statement: "", ...summaryOf(root) };
  };
  const note = (statement: string, rows: PromiseLike<readonly object[]>) => {
    const plan = planOf(rows).then((found) => ({ ...found, statement }));
    // What fails is thrown where the plans are read.
    plan.catch(() => undefined);
    plans.push(plan);
  };
  const unsafe = sql.unsafe;
  const explained: typeof unsafe = (text, parameters, o) => {
    if (reads(text)) note(text, unsafe(`${options} ${text}`, parameters));
    return unsafe(text, parameters, o);
  };
  sql.unsafe = explained;
  return {
    sql: new Proxy(sql, {
      apply(_target, _this, [text, ...values]: [unknown, ...never[]]) {
        // A template, or a value of which the driver makes a part of one.
        const call = () => Reflect.apply(sql, undefined, [text, ...values]);
        if (isTemplate(text) && reads(text[0] ?? "")) note(text.join("?"), sql`${sql.unsafe(options)} ${call()}`);
        return call();
      },
    }),
    plans: () => Promise.all(plans.splice(0)),
  };
}

function reads(text: string): boolean {
  return /^\s*(select|with)\b/i.test(text);
}

function isTemplate(value: unknown): value is TemplateStringsArray {
  return Array.isArray(value) && "raw" in value;
}

function summaryOf(root: PlanNode): Omit<Plan, "statement"> {
  const nodes = [...nodesOf(root)];
  const scans = nodes.filter((node) => node["Relation Name"] !== undefined);
  const sorts = nodes.filter((node) => /Sort/.test(node["Node Type"]));
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return {
    indexes: nodes.flatMap((node) => node["Index Name"] ?? []),
    scanned: scans.filter((node) => node["Node Type"] === "Seq Scan").map((node) => node["Relation Name"] ?? ""),
    sortedRows: Math.max(0, ...sorts.map((node) => sum((node.Plans ?? []).map(rowsOf)))),
    readRows: sum(scans.map(rowsOf)),
    buffers: root["Shared Hit Blocks"] + root["Shared Read Blocks"],
  };
}

function* nodesOf(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const below of node.Plans ?? []) yield* nodesOf(below);
}

/** Postgres writes rows for each loop. */
function rowsOf(node: PlanNode): number {
  const removed = (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
  return (node["Actual Rows"] + removed) * node["Actual Loops"];
}
