import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type Codec, connectPlan } from "../load/rpc-load.ts";
import { createKeys } from "../programs/keys.ts";
import { type Child, freePort, startChild } from "../subjects/child.ts";

const keys = createKeys();
const folder = mkdtempSync(join(tmpdir(), "rialto-bench-test-"));
const started: Child[] = [];
afterAll(async () => {
  for (const child of started) await child.stop();
  rmSync(folder, { recursive: true, force: true });
});

const rows = [
  { program: "programs/connect-bare.ts", wire: "json", raw: { BENCH_PARSING: "protobuf" } },
  { program: "programs/connect-bare.ts", wire: "json", raw: {} },
  { program: "programs/connect-bare.ts", wire: "binary", raw: {} },
  { program: "programs/rialto-service.ts", wire: "json", raw: { BENCH_LIKE: "service", BENCH_PARSING: "protobuf" } },
  { program: "programs/rialto-service.ts", wire: "json", raw: { BENCH_LIKE: "service" } },
  { program: "programs/rialto-service.ts", wire: "binary", raw: { BENCH_LIKE: "service" } },
] as const;

it.each(rows)("$program and raw node:http give the same answer in $wire ($raw)", async ({ program, wire, raw }) => {
  const [ours, baseline] = await Promise.all([
    answerOf(program, wire, {}),
    answerOf("baselines/raw-http.js", wire, raw),
  ]);
  expect(ours).toMatchObject({ status: 200 });
  expect(ours).toEqual(baseline);
});

it.each(["programs/connect-bare.ts", "baselines/raw-http.js"])("%s refuses an id that is no UUID", async (program) => {
  expect(await answerOf(program, "json", {}, '{"id":"1"}')).toMatchObject({ status: 400 });
});

/**
 * Starts a program and sends it the request of its row. What differs in each answer is left out: date and request id.
 */
async function answerOf(program: string, wire: Codec, env: Readonly<Record<string, string>>, otherBody?: string) {
  const port = await freePort();
  const args = [new URL(`../${program}`, import.meta.url).pathname, `${port}`];
  const own = { BENCH_KEYS: JSON.stringify(keys), ...env };
  started.push(await startChild({ name: `${port}`, command: process.execPath, args, env: own, port, folder }));
  const credentials = program.includes("service") ? "gateway" : "none";
  const [planned] = await connectPlan(wire, credentials, keys);
  if (planned === undefined) throw new Error("a plan without requests");
  const body = otherBody === undefined ? planned.body : Buffer.from(otherBody);
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method: "POST", path: planned.path, headers: planned.headers });
    sent.once("error", reject);
    sent.once("response", async (response) => {
      const { date, "x-request-id": requestId, ...headers } = response.headers;
      const has = [date, requestId].map((text) => text !== undefined);
      let text = "";
      for await (const chunk of response.setEncoding("latin1")) text += chunk;
      resolve({ status: response.statusCode, headers, has, text });
    });
    sent.end(body);
  });
}
