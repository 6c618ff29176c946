import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTls } from "../src/config.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rialto-pem-"));
  await writeFile(join(folder, "cert.pem"), "-----BEGIN CERTIFICATE-----\n");
  await writeFile(join(folder, "other.txt"), "hunter2");
});
afterAll(() => rm(folder, { recursive: true }));

const read = (cert?: string, key?: string) =>
  readTls({ tlsCertFile: cert && join(folder, cert), tlsKeyFile: key && join(folder, key) });

describe("readTls", () => {
  it("is undefined where no certificate is given, and has both where both are", async () => {
    expect(await read()).toBeUndefined();
    expect(await read("cert.pem", "cert.pem")).toEqual({
      cert: "-----BEGIN CERTIFICATE-----\n",
      key: "-----BEGIN CERTIFICATE-----\n",
    });
  });

  it.each([
    ["is missing", undefined],
    ["is not there", "nothing.pem"],
    ["is no PEM", "other.txt"],
  ])("names the variable whose file %s, and never its content", async (_what, key) => {
    const failure = await read("cert.pem", key).catch((error: Error) => error.message);
    expect(failure).toMatch(/^RIALTO_TLS_KEY must be /);
    expect(failure).not.toContain("hunter2");
  });
});
