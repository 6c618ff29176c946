import { Command, InvalidArgumentError } from "commander";
import { type HarnessRun, type PatchedTree, removeFolder, withPatchedTree } from "./patched-tree.ts";

/** A realistic defect, as a patch, and what must be said of it. */
interface SeededBug {
  readonly patch: string;
  /** The violation that the checker reports, or the test that fails. */
  readonly says: RegExp;
  readonly args?: readonly string[];
  /** Found by a test: a run of the harness does nothing that would meet it. */
  readonly test?: { readonly workspace: string; readonly file: string };
}

/** So many orders a second that jobs have more than one. */
const fast = ["--rate", "80"];

const bugs: readonly SeededBug[] = [
  { patch: "relay-publishes-before-commit", says: /was published and never committed/ },
  { patch: "key-outside-the-commit", says: /key \S+ has \d+ orders|its key was answered with/ },
  {
    patch: "stock-without-lock",
    says: /product \S+: (reserved|on_hand \+ shipped|received|shipped) is -?\d+, and should be/,
  },
  { patch: "capture-without-a-key", says: /says that 0 was captured, and the network captured \d+/ },
  { patch: "inbox-skipped", says: /had no effect in (order-mail|checkout|welcome-mail)/ },
  { patch: "undo-without-tombstone", says: /is CANCELLED, and its reservation is RESERVED/ },
  { patch: "outcomes-shifted-by-one", says: /it is \w+, and its reservation is (REFUSED|RESERVED)/, args: fast },
  // "none" where the batch did not arrive, as on a machine that is busy with something else.
  {
    patch: "failed-batch-taken-as-refusal",
    says: /it is REJECTED, and its reservation is (RESERVED|none)/,
    args: fast,
  },
  // Without the schedule, which brings to rest half a minute later what no event does.
  { patch: "own-topic-not-subscribed", says: /it is not at rest/, args: ["--rest-seconds", "22"] },
  { patch: "stale-order-in-hand", says: /it is not at rest/, args: ["--rest-seconds", "22"] },
  {
    patch: "in-process-call-without-policy",
    says: /× where the policy is .*, exactly as over the network/,
    test: { workspace: "packages/rpc", file: "test/in-process.test.ts" },
  },
  {
    patch: "replay-on-success-only",
    says: /× is answered as the first time, and there is one order/,
    test: { workspace: "apps/order", file: "test/repeated-orders.test.ts" },
  },
];

const orders = 160;

const program = new Command("chaos:bugs")
  .description("Applies each seeded bug to a copy of the tree and verifies that the checker finds it.")
  .option("--times <n>", "runs of each, with different seeds", numberOf, 1)
  .option("--only <patch>", "only this one")
  .parse();
const { times, only } = program.opts<{ readonly times: number; readonly only: string | undefined }>();

let missed = 0;
for (const bug of bugs.filter(({ patch }) => only === undefined || patch === only)) {
  await withPatchedTree(`./bugs/${bug.patch}.patch`, async (tree) => {
    for (let seed = 1; seed <= times; seed += 1) {
      const found = await findBug(bug, tree, seed);
      if (found === undefined) missed += 1;
      process.stdout.write(
        `${found === undefined ? "MISSED" : "found "} ${bug.patch} (seed ${seed})${found === undefined ? "" : `: ${found}`}\n`,
      );
    }
  });
}
process.exitCode = missed === 0 ? 0 : 1;

/** Runs the harness or the test of the copy. Returns the line that reports the bug; undefined if there is none. */
async function findBug(bug: SeededBug, tree: PatchedTree, seed: number): Promise<string | undefined> {
  const run =
    bug.test === undefined ? await runHarness(bug, tree, seed) : await tree.test(bug.test.workspace, bug.test.file);
  const line = run.output.split("\n").find((one) => bug.says.test(one));
  if (run.code === 1 && line !== undefined) return line.trim();
  process.stderr.write(run.output);
  return undefined;
}

async function runHarness(bug: SeededBug, tree: PatchedTree, seed: number): Promise<HarnessRun> {
  const counts = ["--orders", String(orders), "--kills", "0", "--seed", String(seed)];
  const run = await tree.run([...counts, "--rest-seconds", "30", "--may-crash", ...(bug.args ?? [])]);
  removeFolder(run);
  return run;
}

function numberOf(message: string): number {
  if (!/^\d{1,3}$/.test(message)) throw new InvalidArgumentError("must be a whole number");
  return Number(message);
}
