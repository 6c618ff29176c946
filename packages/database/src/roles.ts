import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { Sql } from "./connection.ts";

const scramIterations = 4_096;
const roleTriesMax = 20;
const roleRetryDelayMs = 50;

/** The role that reads and writes in a schema and can do nothing else. */
export function runtimeRole(name: string): string {
  return `rialto_${name}`;
}

/** The role that owns a schema and migrates it. */
export function ownerRole(name: string): string {
  return `rialto_${name}_owner`;
}

/** The URL of a schema's runtime role, on the server and database of `adminUrl`. */
export function runtimeUrl(adminUrl: string, name: string, secret: string): string {
  return urlAs(adminUrl, runtimeRole(name), secret);
}

/** The URL of a schema's owner role, on the server and database of `adminUrl`. */
export function ownerUrl(adminUrl: string, name: string, secret: string): string {
  return urlAs(adminUrl, ownerRole(name), secret);
}

function urlAs(adminUrl: string, role: string, secret: string): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = derivedPassword(role, secret);
  return url.href;
}

/** Every process that knows the secret knows every role's password: there is nothing to hand out or to store. */
function derivedPassword(role: string, secret: string): string {
  return createHmac("sha256", secret).update(`postgres role ${role}`).digest("base64url");
}

/**
 * Makes a role that can log in and nothing more, or gives an existing one the password that follows from the secret.
 *
 * Roles belong to the cluster and our advisory lock to one database: two provisions of two databases may meet here, and then
 * one tries again. Postgres is given the SCRAM verifier, so that no password can appear in its log.
 */
export async function ensureRole(sql: Sql, role: string, secret: string): Promise<void> {
  const verifier = scramVerifier(derivedPassword(role, secret), role);
  for (let tries = 1; ; tries += 1) {
    try {
      const [found] = await sql`select 1 from pg_roles where rolname = ${role}`;
      const verb = found === undefined ? "create" : "alter";
      await sql.unsafe(`${verb} role "${role}" with login noinherit password '${verifier}'`);
      return;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      // 23505 and 42710: made by another meanwhile; XX000 "tuple concurrently updated": altered by another meanwhile.
      const met = code === "23505" || code === "42710" || code === "XX000";
      if (!met || tries >= roleTriesMax) throw error;
      await new Promise((resolve) => setTimeout(resolve, roleRetryDelayMs));
    }
  }
}

/** The form in which Postgres stores a password (RFC 5803). The salt follows from the role, so that the verifier is stable. */
function scramVerifier(password: string, role: string): string {
  const salt = createHash("sha256").update(`${password} ${role}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(password, salt, scramIterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
