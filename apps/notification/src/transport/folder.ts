import { randomUUID } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createMailComposer } from "./compose.ts";
import type { MailTransport } from "./transport.ts";

/**
 * Writes each mail as an .eml file, which any mail program opens. A file appears whole or not at all, and a mail that
 * is sent twice because its process died overwrites its file. Nothing waits for the disk: the folder is for
 * development, and only a machine that loses its power could lose the last mails. The file is written at once and not
 * in the background, which takes less of the processor than handing two kilobytes to another thread.
 */
export function createFolderTransport({
  from,
  folder,
}: {
  readonly from: string;
  readonly folder: string;
}): MailTransport {
  const compose = createMailComposer(from);
  return {
    async send(mail) {
      const { message } = compose(mail);
      const text = message.replaceAll("\r\n", "\n");
      try {
        writeWhole(folder, `${mail.name}.eml`, text);
      } catch (error) {
        if (!isMissing(error)) throw error;
        mkdirSync(folder, { recursive: true });
        writeWhole(folder, `${mail.name}.eml`, text);
      }
    },
    async close() {},
  };
}

function writeWhole(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const draft = `${path}.${randomUUID()}.draft`;
  // Links in mails are secrets: only the owner can read the file.
  writeFileSync(draft, text, { flag: "wx", mode: 0o600 });
  renameSync(draft, path);
}

/** The folder does not exist yet, or somebody has removed it. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
