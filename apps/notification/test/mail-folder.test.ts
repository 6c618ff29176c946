import fs from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { v7 as uuidv7 } from "uuid";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { createFolderTransport } from "../src/transport/folder.ts";
import { mailFrom } from "./fixture.ts";

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "rialto-mail-")), "mail");
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

const mail = (id: string) => ({
  name: `2026-11-24T10-00-00.000Z-${id}`,
  messageId: `<${id}@rialto.example>`,
  to: { name: 'Ada "the first"', address: "ada@example.com" },
  subject: "Your order costs €12.50",
  text: `Order ${id}. Total: €12.50\n`,
  html: "<p>Total: €12.50</p>",
});

describe("the folder of .eml files", () => {
  it("holds each mail as a file that a mail program reads, named by its time and id", async () => {
    const transport = createFolderTransport({ from: mailFrom, folder });
    const id = uuidv7();
    await transport.send(mail(id), new AbortController().signal);
    expect(await readdir(folder)).toEqual([`2026-11-24T10-00-00.000Z-${id}.eml`]);
    const source = await readFile(join(folder, `2026-11-24T10-00-00.000Z-${id}.eml`));
    const parsed = await simpleParser(source);
    expect(parsed).toMatchObject({ messageId: `<${id}@rialto.example>`, subject: "Your order costs €12.50" });
    expect(parsed.text).toContain("Total: €12.50");
    expect(parsed.html).toContain("<p>Total: €12.50</p>");
    // People look for an order's mail with grep.
    expect(source.toString()).toContain(`Order ${id}`);
  });

  it("lets only its owner read a mail: links in it are secrets", async () => {
    const transport = createFolderTransport({ from: mailFrom, folder });
    await transport.send(mail(uuidv7()), new AbortController().signal);
    const [name = ""] = await readdir(folder);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });

  it("waits for no disk", async () => {
    const waits = [vi.spyOn(fs, "fsyncSync"), vi.spyOn(fs, "fdatasyncSync")];
    syncBuiltinESMExports();
    onTestFinished(() => {
      for (const spy of waits) spy.mockRestore();
      syncBuiltinESMExports();
    });
    const transport = createFolderTransport({ from: mailFrom, folder });
    await transport.send(mail(uuidv7()), new AbortController().signal);
    for (const spy of waits) expect(spy).not.toHaveBeenCalled();
  });

  it("has one file for a mail that is sent twice, and no draft beside it", async () => {
    const transport = createFolderTransport({ from: mailFrom, folder });
    const id = uuidv7();
    await Promise.all([1, 2, 3].map(() => transport.send(mail(id), new AbortController().signal)));
    await transport.send(mail(uuidv7()), new AbortController().signal);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it("is made again where somebody has removed it", async () => {
    const transport = createFolderTransport({ from: mailFrom, folder });
    await transport.send(mail(uuidv7()), new AbortController().signal);
    await rm(folder, { recursive: true });
    await transport.send(mail(uuidv7()), new AbortController().signal);
    expect(await readdir(folder)).toHaveLength(1);
  });
});
