import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, redisForTests } from "@rialto/testing";
import { Redis } from "ioredis";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "../src/config/config.ts";
import { ConfigurationError } from "../src/config/variable.ts";
import { requireRedis, takeOverRedis } from "../src/process/redis-start.ts";

const redis = await redisForTests();
const redisUrl = redis?.url ?? "";
const redisPrefix = "rialto-test";
afterAll(() => redis?.close());

/** What is said where the start is refused, which is one line. */
async function refusal(url: string, o: Partial<Parameters<typeof requireRedis>[0]> = {}): Promise<string> {
  const error = await requireRedis({ redisUrl: url, redisPrefix, reachMs: 0, ...o }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  const [line, ...more] = error instanceof ConfigurationError ? error.lines : [];
  expect(more).toEqual([]);
  expect(line).toMatch(/^REDIS_URL: [^\n]+$/);
  return line ?? "";
}

describe.skipIf(redis === undefined)("requireRedis", () => {
  beforeEach(async () => {
    const client = new Redis(redisUrl);
    await client.flushall();
    client.disconnect();
  });

  it("lets a start go on where Redis answers", async () => {
    await expect(requireRedis({ redisUrl, redisPrefix })).resolves.toEqual({ ownsOldPrefix: false });
  });

  it("refuses a wrong password, a missing one and an unknown user, and quotes none", async () => {
    const locked = await redisForTests();
    const client = new Redis(locked?.url ?? "");
    await client.config("SET", "requirepass", "the right one");
    client.disconnect();
    const at = `127.0.0.1:${locked?.port}`;
    for (const url of [`redis://:hunter2@${at}`, `redis://${at}`, `redis://somebody:hunter2@${at}`]) {
      const line = await refusal(url, { reachMs: 60_000 });
      expect(line, url).toContain("password");
      expect(line).not.toContain("hunter2");
    }
    await expect(requireRedis({ redisUrl: `redis://:the%20right%20one@${at}`, redisPrefix })).resolves.toBeDefined();
    await locked?.close();
  });

  it("refuses a port where nobody listens, after it has waited for a Redis that starts", async () => {
    expect(await refusal("redis://127.0.0.1:1", { reachMs: 700 })).toContain("does not answer (ECONNREFUSED)");
  });

  it("waits for a Redis that is still starting", async () => {
    const port = await freePort();
    const reached = requireRedis({ redisUrl: `redis://127.0.0.1:${port}`, redisPrefix });
    const child = spawn("redis-server", ["--port", String(port), "--save", ""], { stdio: "ignore" });
    await expect(reached).resolves.toBeDefined();
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  });

  it("refuses TLS where there is none, and a certificate that it has no reason to trust", async () => {
    // It may be a Redis that still starts, so all of the time passes.
    expect(await refusal(redisUrl.replace("redis:", "rediss:"), { reachMs: 2_000 })).toMatch(/no TLS|does not answer/);
    const tls = await redisWithTls();
    expect(await refusal(`rediss://127.0.0.1:${tls.port}`, { reachMs: 60_000 })).toContain("NODE_EXTRA_CA_CERTS");
    expect(await refusal(`redis://127.0.0.1:${tls.port}`)).toContain("rediss://");
    await tls.close();
  });

  it("refuses what is no Redis", async () => {
    const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await refusal(`redis://127.0.0.1:${port}`);
    server.close();
  });

  it("refuses a prefix under which another installation keeps its jobs", async () => {
    const one = [{ schema: "order", installation: "one" }];
    const other = [{ schema: "order", installation: "other" }];
    await requireRedis({ redisUrl, redisPrefix, marks: one });
    await requireRedis({ redisUrl, redisPrefix, marks: one });
    expect(await refusal(redisUrl, { marks: other })).toContain("RIALTO_INSTALLATION");
    await requireRedis({ redisUrl, redisPrefix: "rialto-its-own", marks: other });
    await takeOverRedis({ redisUrl, redisPrefix });
    await requireRedis({ redisUrl, redisPrefix, marks: other });
    expect(await refusal(redisUrl, { marks: one })).toContain("another installation");
  });

  it("leaves no mark of an installation that it refuses, so that the one that was there starts on", async () => {
    const order = { schema: "order", installation: "one" };
    const marksOf = (installation: string) =>
      ["notification", "order", "user"].map((schema) => ({ schema, installation }));
    await requireRedis({ redisUrl, redisPrefix, marks: [order] });
    await refusal(redisUrl, { marks: marksOf("other") });
    await expect(requireRedis({ redisUrl, redisPrefix, marks: marksOf("one") })).resolves.toBeDefined();
  });

  it("gives the prefix of older versions to one installation that such a version made, and to no new one", async () => {
    const upgraded = (installation: string, ofOlderVersion = true) =>
      requireRedis({
        redisUrl,
        redisPrefix: `rialto-${installation}`,
        marks: [{ schema: "order", installation }],
        ofOlderVersion,
      });
    expect(await upgraded("new", false)).toEqual({ ownsOldPrefix: false });
    expect(await upgraded("first")).toEqual({ ownsOldPrefix: true });
    expect(await upgraded("second")).toEqual({ ownsOldPrefix: false });
    expect(await upgraded("first")).toEqual({ ownsOldPrefix: true });
  });
});

describe("the prefix in Redis", () => {
  const prefixOf = (env: Readonly<Record<string, string>>) => readConfig(env).redisPrefix;
  const secret = "a secret of an installation, shared by all";

  it("is the same in all processes that share a secret, and another for another secret", () => {
    expect(prefixOf({ RIALTO_SECRET: secret, PORT: "1" })).toBe(prefixOf({ RIALTO_SECRET: secret, PORT: "2" }));
    expect(prefixOf({ RIALTO_SECRET: secret })).not.toBe(prefixOf({ RIALTO_SECRET: `${secret}!` }));
    expect(prefixOf({ RIALTO_SECRET: secret })).toMatch(/^rialto-[0-9a-f]{12}$/);
  });

  it("is RIALTO_INSTALLATION where that is given", () => {
    expect(prefixOf({ RIALTO_SECRET: secret, RIALTO_INSTALLATION: "staging" })).toBe("rialto-staging");
    expect(() => prefixOf({ RIALTO_INSTALLATION: "a*b" })).toThrow(/^RIALTO_INSTALLATION must be /);
  });
});

async function redisWithTls(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "rialto-test-redis-tls-"));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-days", "2", "-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  const port = await freePort();
  const files = [
    "--tls-cert-file",
    cert,
    "--tls-key-file",
    key,
    "--tls-ca-cert-file",
    cert,
    "--tls-auth-clients",
    "no",
  ];
  const args = ["--port", "0", "--tls-port", String(port), "--save", "", ...files];
  const child = spawn("redis-server", args, { stdio: "ignore" });
  return {
    port,
    async close() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
