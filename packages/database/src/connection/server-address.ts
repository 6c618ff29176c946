import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { DatabaseUnreachable } from "./errors.ts";

/**
 * A server for both drivers: a URL without the parts that they read differently, and those parts by themselves.
 */
export interface ServerAddress {
  readonly url: string;
  /** Undefined where the URL names several hosts, or a socket in its query. */
  readonly host: string | undefined;
  readonly ssl: false | ConnectionOptions;
}

/** The options of TLS, as libpq names them; the first is the driver's own spelling of the second. */
const tlsParameters = ["ssl", "sslmode", "sslrootcert", "sslcert", "sslkey"] as const;

/**
 * Reads a database URL as libpq does, because postgres.js and pg each read it in a way of their own: `sslmode=disable`,
 * `allow` and `prefer` are no TLS; `require` is TLS, with the authority checked where `sslrootcert` names one;
 * `verify-ca` checks the authority, `verify-full` the host's name too. `sslrootcert` is a file, or `system`. An IPv6
 * address stands in brackets. Throws `DatabaseUnreachable` for a word or a file that cannot be used.
 */
export function readServerAddress(text: string): ServerAddress {
  if (!URL.canParse(text)) return { url: text, host: undefined, ssl: false };
  const url = new URL(text);
  const given = (name: (typeof tlsParameters)[number]) => url.searchParams.get(name) ?? undefined;
  const host = url.searchParams.has("host") ? undefined : url.hostname.replace(/^\[(.*)\]$/, "$1");
  const mode = given("sslmode") ?? given("ssl") ?? "prefer";
  const ssl = optionsOf({ mode, host, root: given("sslrootcert"), cert: given("sslcert"), key: given("sslkey") });
  for (const name of tlsParameters) url.searchParams.delete(name);
  return { url: url.href, host, ssl };
}

/** Returns the arguments of postgres.js for a database URL. It would read TLS and IPv6 addresses in its own way. */
export function clientAt<O extends object>(text: string, options: O): [url: string, options: O & ClientAddress] {
  const { url, host, ssl } = readServerAddress(text);
  return [url, { ...options, ssl, ...(host === undefined || host === "" ? {} : { host }) }];
}

interface ClientAddress {
  readonly ssl: false | ConnectionOptions;
  readonly host?: string;
}

function optionsOf(o: {
  readonly mode: string;
  readonly host: string | undefined;
  readonly root: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}): ServerAddress["ssl"] {
  if (["disable", "allow", "prefer", "false", "0"].includes(o.mode)) return false;
  const checks = ["verify-full", "verify-ca"].includes(o.mode) || o.root !== undefined;
  if (!checks && !["require", "true", "1", "no-verify"].includes(o.mode))
    throw new DatabaseUnreachable("sslmode must be disable, require, verify-ca or verify-full.");
  // Only the authority is checked: any server with a certificate of it is accepted.
  const nameIsFree = checks && o.mode !== "verify-full" && o.root !== "system";
  return {
    rejectUnauthorized: checks,
    // An IP address is not a server name, but it is compared with the certificate too.
    ...(o.host !== undefined && isIP(o.host) !== 0 ? { host: o.host } : {}),
    ...(o.root === undefined || o.root === "system" ? {} : { ca: fileOf("sslrootcert", o.root) }),
    ...(o.cert === undefined ? {} : { cert: fileOf("sslcert", o.cert) }),
    ...(o.key === undefined ? {} : { key: fileOf("sslkey", o.key) }),
    ...(nameIsFree ? { checkServerIdentity: () => undefined } : {}),
  };
}

function fileOf(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new DatabaseUnreachable(`${name} must name a file that can be read.`, { cause });
  }
}

/**
 * Returns one line for the person who set the database URL, where the cause is one that a person can fix. Contains
 * neither address nor password.
 */
export function whyUnreachable(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const message = error instanceof Error ? error.message : "";
  if (code === "28000" && /no encryption|SSL off/i.test(message))
    return "Postgres asks for TLS: add ?sslmode=verify-full (and &sslrootcert=FILE for a private authority) to the database URL.";
  if (code === "28000" && /no pg_hba.conf entry/.test(message))
    return "Postgres lets no such user in from this address: its pg_hba.conf has no entry for it.";
  if (code === "28P01" || code === "28000") return "Postgres refuses the user or the password of the database URL.";
  if (/^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT)/.test(code))
    return `The certificate of Postgres is not trusted (${code}): let sslrootcert in the database URL name the file of its authority, and the host be one that the certificate names.`;
  if (/^(ERR_SSL_|EPROTO)/.test(code))
    return `Postgres speaks no TLS there (${code}), and the database URL asks for it.`;
  if (code === "08P01" && /startup parameter/.test(message)) return poolerRefusal;
  if (code === "3D000") return "The database that the database URL names does not exist.";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "The host of the database URL is not known.";
  if (code === "53300") return "Postgres has no connection left for us.";
  if (code.startsWith("57")) return "Postgres is starting or stopping.";
  return undefined;
}

export const poolerRefusal =
  "A pooler (pgbouncer) stands before Postgres and drops what a session sets: let the database URL name the server itself, Rialto has pools of its own.";
