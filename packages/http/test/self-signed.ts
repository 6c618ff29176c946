import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsCredentials } from "../src/listen.ts";

/** Makes a certificate of this machine, in a folder that `remove` removes. */
export function createSelfSigned(): { readonly credentials: TlsCredentials; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "rialto-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-days", "1", "-nodes", "-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", ...subject], {
    stdio: "ignore",
  });
  const credentials = { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  return { credentials, remove: () => rmSync(folder, { recursive: true }) };
}
