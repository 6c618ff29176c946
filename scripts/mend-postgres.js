// Applies the patches of third_party/postgres to the installed postgres.js, once; again changes nothing. Part of `npm ci`, and
// plain JavaScript, as the Node that runs it may be the machine's own.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { applyPatch, parsePatch, reversePatch } from "diff";

// The second is written on top of the first.
const patches = ["lost-connections.patch", "renewed-connections.patch"].map(
  (name) => new URL(`../third_party/postgres/${name}`, import.meta.url),
);
const root = new URL("..", import.meta.url);

for (const patch of patches) for (const change of parsePatch(readFileSync(patch, "utf8"))) mend(patch, change);

function mend(patch, change) {
  const path = new URL(change.newFileName.replace(/^b\//, ""), root);
  const found = readFileSync(path, "utf8");
  if (applyPatch(found, reversePatch(change)) !== false) return;
  const mended = applyPatch(found, change);
  if (mended === false) {
    process.stderr.write(
      `The mends in ${fileURLToPath(patch)} do not fit ${fileURLToPath(path)}: \`npm ci\` installs it anew.\n`,
    );
    process.exit(1);
  }
  writeFileSync(path, mended);
}
