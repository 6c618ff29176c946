import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/**
 * Checks that every seeded bug and every kill point of the chaos harness, and the short retention of the soak, still
 * apply to the tree, in the way that `npm run chaos:bugs`, `chaos:points` and `soak` apply them. A patch that no longer
 * applies would only be noticed by a run that takes minutes.
 */
const patches = ["apps/rialto/chaos/bugs", "apps/rialto/chaos/points", "bench/soak"].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".patch"))
    .map((name) => `${folder}/${name}`),
);
const failures = patches.flatMap((patch) => {
  const { status, stderr } = spawnSync("git", ["apply", "--check", "-C1", patch], { encoding: "utf8" });
  return status === 0 ? [] : [`${patch} no longer applies:\n${stderr.trimEnd()}`];
});

process.stdout.write(
  failures.length === 0
    ? `The ${patches.length} seeded bugs, kill points and other patches apply to the tree\n`
    : `${failures.join("\n")}\n`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
