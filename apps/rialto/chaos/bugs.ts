import { Command, InvalidArgumentError } from "commander";
import { type PatchedTree, removeFolder, withPatchedTree } from "./patched-tree.ts";

/** A realistic defect, as a patch, and the violation that the checker must report. */
interface SeededBug {
  readonly patch: string;
  readonly says: RegExp;
  readonly args?: readonly string[];
}

/** So many orders a second that jobs have more than one. */
const fast = ["--rate", "80"];

const bugs: readonly SeededBug[] = [
  { patch: "relay-publishes-before-commit", says: /was published and never committed/ },
  { patch: "key-outside-the-commit", says: /key \S+ has \d+ orders/ },
  {
    patch: "stock-without-lock",
    says: /product \S+: (reserved|on_hand \+ shipped|received|shipped) is -?\d+, and should be/,
  },
  { patch: "capture-without-a-key", says: /says that 0 was captured, and the network captured \d+/ },
  { patch: "inbox-skipped", says: /had no effect in (order-mail|checkout|welcome-mail)/ },
  { patch: "undo-without-tombstone", says: /is CANCELLED, and its reservation is RESERVED/ },
  { patch: "outcomes-shifted-by-one", says: /it is \w+, and its reservation is (REFUSED|RESERVED)/, args: fast },
  { patch: "failed-batch-taken-as-refusal", says: /it is REJECTED, and its reservation is RESERVED/, args: fast },
  // What no event brings to rest, the schedule does, half a minute later.
  { patch: "own-topic-not-subscribed", says: /it is not at rest/, args: ["--rest-seconds", "22"] },
  { patch: "stale-order-in-hand", says: /it is not at rest/, args: ["--rest-seconds", "22"] },
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

/** Runs the harness of the copy. Returns the line that reports the bug; undefined if the run fails in another way. */
async function findBug(bug: SeededBug, tree: PatchedTree, seed: number): Promise<string | undefined> {
  const counts = ["--orders", String(orders), "--kills", "0", "--seed", String(seed)];
  const run = await tree.run([...counts, "--rest-seconds", "30", "--may-crash", ...(bug.args ?? [])]);
  removeFolder(run);
  const line = run.output.split("\n").find((one) => bug.says.test(one));
  if (run.code !== 1 || line === undefined) {
    process.stderr.write(run.output);
    return undefined;
  }
  return line.trim();
}

function numberOf(message: string): number {
  if (!/^\d{1,3}$/.test(message)) throw new InvalidArgumentError("must be a whole number");
  return Number(message);
}
