import { readdirSync } from "node:fs";
import { join } from "node:path";
import { removeFolder, withPatchedTree } from "./patched-tree.ts";

/**
 * The moments of the checkout at which the order service kills itself, a few times each. The patch adds them to a copy
 * of the tree: the program itself has no code for them. At random times a process hardly ever dies there.
 */
const points = [
  "after STOCK_RESERVED, before the authorization",
  "after the authorization, before its commit",
  "between the answer of a batch and its commits",
  "in the middle of a batch",
] as const;

const args = ["--orders", "300", "--rate", "60", "--kills", "0", "--rest-seconds", "90", "--may-crash", "--keep"];

let failed = false;
await withPatchedTree("./points/checkout.patch", async (tree) => {
  for (const jobs of ["redis", "postgres"]) {
    const run = await tree.run([...args, "--seed", "1", "--jobs", jobs]);
    const crashes = run.folder === undefined ? [] : readdirSync(join(run.folder, "data"));
    const missed = points.filter((point) => !crashes.some((name) => name.startsWith(`crashed ${point}`)));
    const held = run.code === 0 && missed.length === 0;
    failed ||= !held;
    if (!held) process.stdout.write(run.output);
    else removeFolder(run);
    const died = crashes.filter((name) => name.startsWith("crashed ")).length;
    const never = missed.length === 0 ? "" : `; never ${missed.join(", ")}`;
    process.stdout.write(`${held ? "held  " : "FAILED"} jobs on ${jobs}: killed itself ${died} times${never}\n`);
  }
});
process.exitCode = failed ? 1 : 0;
