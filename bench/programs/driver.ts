import { createServer } from "node:http";

const inFlight = 32;

/**
 * Serves `GET /run?seconds=5`: calls again and again, 32 at once, and answers with what came of it. For rows whose load
 * is made in a process that is measured itself: calls in one process, and pairs of a client and a server.
 */
export function serveRuns(port: number, call: () => Promise<unknown>): void {
  const server = createServer((request, response) => {
    const seconds = Number(new URL(request.url ?? "", "http://bench").searchParams.get("seconds"));
    run(call, seconds).then(
      (result) => response.end(JSON.stringify(result)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, "127.0.0.1");
}

async function run(call: () => Promise<unknown>, seconds: number) {
  const timesMs: number[] = [];
  let failures = 0;
  const start = performance.now();
  const until = start + seconds * 1_000;
  const caller = async () => {
    for (let count = 0; performance.now() < until; count += 1) {
      const from = performance.now();
      try {
        await call();
        timesMs.push(performance.now() - from);
      } catch (error) {
        failures += 1;
        if (failures === 1) process.stderr.write(`a call failed: ${String(error)}\n`);
      }
      // Calls in one process are microtasks: without a turn of the loop, the first caller would have all the time.
      if (count % turnCalls === turnCalls - 1) await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const tookSeconds = (performance.now() - start) / 1_000;
  // Sorted as numbers without a function that compares: this work is part of the round, and grows with its calls.
  const sorted = Float64Array.from(timesMs).sort();
  const percentile = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return {
    operations: timesMs.length,
    failures,
    seconds: tookSeconds,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
  };
}

/** Calls of one caller between two turns of the event loop. */
const turnCalls = 8;
