import { randomUUID } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { createTransport as createComposer } from "nodemailer";
import { type MailTransport, mimeMessage } from "./transport.ts";

/**
 * Writes each mail as an .eml file, which any mail program opens. The file is written atomically, and a mail that is
 * sent twice because of a crash overwrites its file.
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
      const file = await open(draft, "wx", 0o600);
      try {
        await file.writeFile(message);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    },
    async close() {},
  };
}
