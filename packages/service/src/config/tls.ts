import { readFile } from "node:fs/promises";
import type { TlsCredentials } from "@rialto/http";
import type { Config } from "./config.ts";
import { ConfigurationError } from "./configuration-error.ts";

/**
 * Reads the gateway's certificate and key; undefined where it is to speak cleartext, behind something that ends TLS.
 */
export async function readTls(config: Config): Promise<TlsCredentials | undefined> {
  const { tlsCertFile, tlsKeyFile } = config;
  if (tlsCertFile === undefined && tlsKeyFile === undefined) return undefined;
  const cert = await readPem("RIALTO_TLS_CERT", tlsCertFile);
  return { cert, key: await readPem("RIALTO_TLS_KEY", tlsKeyFile) };
}

async function readPem(variable: string, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new ConfigurationError([`${variable} must be set: TLS needs a certificate and its key`]);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text?.includes("-----BEGIN ") !== true)
    throw new ConfigurationError([`${variable} must be the path of a file in PEM that can be read`]);
  return text;
}
