import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openDatabase, ownerUrl, provision, runtimeUrl } from "@rialto/database";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@rialto/embedded-postgres";
import { quietLogger } from "@rialto/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJobs, migrateJobs } from "../src/index.ts";

const secret = "the secret of a test run";
const spec = { name: "shop", migrations: new URL("./shop/migrations", import.meta.url) };
let folder: string;
let server: EmbeddedPostgres;

/**
 * A server that lets nobody in without TLS, with a certificate for "localhost" and ::1 that an authority of its own
 * signed.
 */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rialto-test-tls-"));
  chmodSync(folder, 0o755);
  makeCertificates(folder);
  server = await startEmbeddedPostgres({
    directory: join(folder, "postgres"),
    log: quietLogger,
    settings: { listen_addresses: "127.0.0.1,::1" },
  });
  const admin = postgres(server.url, { max: 1, onnotice: () => undefined });
  const [row] = await admin<{ hba: string }[]>`select current_setting('hba_file') as hba`;
  const hba = row?.hba ?? "";
  const { uid, gid } = statSync(dirname(hba));
  chownSync(join(folder, "server.key"), uid, gid);
  await admin.unsafe(`alter system set ssl_cert_file = '${join(folder, "server.pem")}'`);
  await admin.unsafe(`alter system set ssl_key_file = '${join(folder, "server.key")}'`);
  await admin`alter system set ssl = on`;
  writeFileSync(hba, "hostssl all all all scram-sha-256\n");
  await admin`select pg_reload_conf()`;
  await admin.end();
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** The server's URL with these words about TLS. */
function at(host: string, query: Readonly<Record<string, string>>): string {
  const url = new URL(server.url);
  url.hostname = host;
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

const start = (adminUrl: string) => provision({ adminUrl, secret, schemas: [spec], jobs: true, log: quietLogger });

describe("a database URL", () => {
  it("is refused in one line where the server asks for TLS and the URL does not", async () => {
    await expect.poll(() => start(at("localhost", {})).catch(String)).toMatch(/Postgres asks for TLS: add \?sslmode=/);
  });

  it.each([
    ["sslmode=require, which trusts any certificate", "localhost", { sslmode: "require" }],
    ["a private authority", "localhost", { sslmode: "verify-full", sslrootcert: "ca.pem" }],
    ["an IPv6 address", "[::1]", { sslmode: "verify-full", sslrootcert: "ca.pem" }],
    [
      "a host that the certificate does not name, where only its authority counts",
      "127.0.0.1",
      { sslmode: "verify-ca", sslrootcert: "ca.pem" },
    ],
  ])("means the same to both drivers with %s", async (_, host, query: Record<string, string>) => {
    const { sslrootcert } = query;
    const url = at(host, {
      ...query,
      ...(sslrootcert === undefined ? {} : { sslrootcert: join(folder, sslrootcert) }),
    });
    await start(url);
    await migrateJobs(await ownerUrl(url, "jobs", secret));
    const database = openDatabase({ url: await runtimeUrl(url, "shop", secret), schema: "shop", service: "test" });
    const [row] = await database.sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    await database.close();
    expect(row?.ssl).toBe(true);
    const jobs = await createJobs({ postgresUrl: await runtimeUrl(url, "jobs", secret) });
    expect(await jobs.names()).toEqual([]);
    await jobs.close();
  });

  it.each([
    ["the authority is not named", "localhost", { sslmode: "verify-full" }, "sslrootcert"],
    [
      "the certificate is another host's",
      "127.0.0.1",
      { sslmode: "verify-full", sslrootcert: "ca.pem" },
      "not trusted",
    ],
    [
      "the authority's file is not there",
      "localhost",
      { sslmode: "verify-full", sslrootcert: "no.pem" },
      "can be read",
    ],
    ["sslmode is no word of libpq's", "localhost", { sslmode: "maybe" }, "sslmode must be"],
  ])("is refused in one line where %s", async (_, host, query: Record<string, string>, line) => {
    const { sslrootcert } = query;
    const url = at(host, {
      ...query,
      ...(sslrootcert === undefined ? {} : { sslrootcert: join(folder, sslrootcert) }),
    });
    const said = await start(url).then(() => "started", String);
    expect(said).toContain(line);
    expect(said).toMatch(/^DatabaseUnreachable: [^\n]+$/);
  });
});

function makeCertificates(at: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: at, stdio: "ignore" });
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...curve, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem");
  openssl("req", ...curve, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr");
  writeFileSync(join(at, "names.txt"), "subjectAltName=DNS:localhost,IP:::1\n");
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names.txt"];
  openssl("x509", "-req", "-in", "server.csr", ...signing, "-out", "server.pem");
  chmodSync(join(at, "server.key"), 0o600);
  chmodSync(join(at, "server.pem"), 0o644);
}
