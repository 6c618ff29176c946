import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/**
 * Checks that every seeded bug of the chaos harness still applies to the tree, in the way that `npm run chaos:bugs`
 * applies it. A patch that no longer applies would only be noticed by a run that takes minutes.
 */
const folder = "apps/rialto/chaos/bugs";
const patches = readdirSync(folder).filter((name) => name.endsWith(".patch"));
const failures = patches.flatMap((name) => {
  const { status, stderr } = spawnSync("git", ["apply", "--check", "-C1", `${folder}/${name}`], { encoding: "utf8" });
  return status === 0 ? [] : [`${folder}/${name} no longer applies:\n${stderr.trimEnd()}`];
});

process.stdout.write(
  failures.length === 0 ? `The ${patches.length} seeded bugs apply to the tree\n` : `${failures.join("\n")}\n`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
