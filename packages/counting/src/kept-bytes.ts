import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const warmUpCalls = 200;
/** Calls between two minor collections, for each that runs at a time: what is in progress then is kept rightly. */
const callsBetween = 25;

/**
 * Returns how many bytes of a call are kept by the minor collections behind it, and freed by a major one. Next to
 * nothing should be: what a call makes is young, and gone with the call. What is allocated in the old generation at
 * once, or is reached by something there that is dead, is copied and marked meanwhile, and brings the major collection
 * about.
 *
 * `atOnce` calls run at a time. A call should make so much that what one keeps is plainly more than what the runtime
 * makes for itself.
 */
export async function keptBytesPerCall(
  call: () => Promise<unknown>,
  o: { readonly calls: number; readonly atOnce: number },
): Promise<number> {
  const { minor, major } = openCollector();
  await callAll(call, { calls: warmUpCalls, atOnce: o.atOnce });
  major();
  const between = callsBetween * o.atOnce;
  for (let made = 0; made < o.calls; made += between) {
    await callAll(call, { calls: between, atOnce: o.atOnce });
    minor();
  }
  // What was in progress is old enough to be looked at twice.
  minor();
  const { heapUsed } = process.memoryUsage();
  major();
  return (heapUsed - process.memoryUsage().heapUsed) / o.calls;
}

async function callAll(
  call: () => Promise<unknown>,
  { calls, atOnce }: { readonly calls: number; readonly atOnce: number },
): Promise<void> {
  let left = calls;
  const next = async () => {
    for (; left > 0; left -= 1) await call();
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

function openCollector() {
  setFlagsFromString("--expose-gc");
  const collect: (o: { readonly type: "major" | "minor" }) => void = runInNewContext("gc");
  return { minor: () => collect({ type: "minor" }), major: () => collect({ type: "major" }) };
}
