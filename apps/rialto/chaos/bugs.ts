import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Command, InvalidArgumentError } from "commander";
import { copyTree } from "./tree-copy.ts";

/** A realistic defect, as a patch, and the violation that the checker must report. */
interface SeededBug {
  readonly patch: string;
  readonly says: RegExp;
  readonly args?: readonly string[];
}

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
];

const orders = 160;
const root = new URL("../../../", import.meta.url).pathname;

const program = new Command("chaos:bugs")
  .description("Applies each seeded bug to a copy of the tree and verifies that the checker finds it.")
  .option("--times <n>", "runs of each, with different seeds", numberOf, 1)
  .option("--only <patch>", "only this one")
  .parse();
const { times, only } = program.opts<{ readonly times: number; readonly only: string | undefined }>();

let missed = 0;
for (const bug of bugs.filter(({ patch }) => only === undefined || patch === only)) {
  const copy = mkdtempSync(join(tmpdir(), "rialto-bug-"));
  try {
    // Postgres runs as another user under root and must be able to read its binaries here.
    chmodSync(copy, 0o755);
    copyTree(root, copy);
    const patch = new URL(`./bugs/${bug.patch}.patch`, import.meta.url).pathname;
    execFileSync("git", ["apply", "-C1", patch], { cwd: copy });
    for (let seed = 1; seed <= times; seed += 1) {
      const found = await findBug(bug, copy, seed);
      if (found === undefined) missed += 1;
      process.stdout.write(
        `${found === undefined ? "MISSED" : "found "} ${bug.patch} (seed ${seed})${found === undefined ? "" : `: ${found}`}\n`,
      );
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
process.exitCode = missed === 0 ? 0 : 1;

/** Runs the harness of the copy. Returns the line that reports the bug; undefined if the run fails in another way. */
async function findBug(bug: SeededBug, copy: string, seed: number): Promise<string | undefined> {
  const chaos = join(copy, "apps/rialto/chaos/chaos.ts");
  const args = [
    "--orders",
    String(orders),
    "--kills",
    "0",
    "--seed",
    String(seed),
    "--rest-seconds",
    "30",
    "--may-crash",
  ];
  const child = spawn(process.execPath, [chaos, ...args, ...(bug.args ?? [])], {
    cwd: copy,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  const folder = /logs are in (\S+)\/logs/.exec(output)?.[1];
  if (folder?.includes("rialto-chaos-")) rmSync(folder, { recursive: true, force: true });
  const line = output.split("\n").find((one) => bug.says.test(one));
  if (code !== 1 || line === undefined) {
    process.stderr.write(output);
    return undefined;
  }
  return line.trim();
}

function numberOf(message: string): number {
  if (!/^\d{1,3}$/.test(message)) throw new InvalidArgumentError("must be a whole number");
  return Number(message);
}
