import { randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTransport as createComposer } from "nodemailer";
import { type MailTransport, mimeMessage } from "./transport.ts";

/**
 * Writes each mail as an .eml file, which any mail program opens. A file appears whole or not at all, and a mail that
 * is sent twice because its process died overwrites its file. Nothing waits for the disk: the folder is for
 * development, and only a machine that loses its power could lose the last mails.
 */
export function createFolderTransport({
  from,
  folder,
}: {
  readonly from: string;
  readonly folder: string;
}): MailTransport {
  const composer = createComposer({ streamTransport: true, buffer: true, newline: "unix" });
  return {
    async send(mail) {
      const { message } = await composer.sendMail(mimeMessage(mail, from));
      if (!Buffer.isBuffer(message)) throw new Error("the composer was asked for a buffer and made a stream");
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${mail.name}.eml`);
      const draft = `${path}.${randomUUID()}.draft`;
      // Links in mails are secrets: only the owner can read the file.
      await writeFile(draft, message, { flag: "wx", mode: 0o600 });
      await rename(draft, path);
    },
    async close() {},
  };
}
