import { createHash, randomBytes } from "node:crypto";
import type { Database } from "@rialto/database";
import { accessTokenSecondsMax } from "@rialto/rpc";
import { importJWK, type JWK, SignJWT } from "jose";
import type { UserRole } from "../user/state.ts";
import type { SigningKeys } from "./signing-keys.ts";

const party = "rialto";
const secretTokenBytes = 32;

/** Signs access tokens and publishes the keys that verify them. */
export interface AccessTokens {
  sign(o: {
    readonly userId: string;
    readonly role: UserRole;
    readonly sessionId: string;
    readonly emailConfirmed: boolean;
    readonly now: Date;
  }): Promise<string>;
  publicKeys(): Promise<readonly PublicKey[]>;
}

interface PublicKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly kid: string;
  readonly alg: string;
  readonly use: string;
}

/**
 * Creates the signer of access tokens. Reads the signing keys each time, because they rotate while the process runs.
 */
export async function createAccessTokens(signingKeys: () => Promise<SigningKeys>): Promise<AccessTokens> {
  let imported: { readonly jwk: JWK; readonly key: ReturnType<typeof importJWK> } | undefined;
  const signingKey = async () => {
    const { current } = await signingKeys();
    if (imported?.jwk !== current) imported = { jwk: current, key: importJWK(current, "EdDSA") };
    return { kid: current.kid ?? "", key: await imported.key };
  };
  await signingKey(); // Fails at startup if the key is invalid.
  return {
    async publicKeys() {
      const { published } = await signingKeys();
      return published.map(({ kty = "", crv = "", x = "", kid = "" }) => ({
        ...{ kty, crv, x, kid },
        alg: "EdDSA",
        use: "sig",
      }));
    },
    async sign({ userId, role, sessionId, emailConfirmed, now }) {
      const issued = Math.floor(now.getTime() / 1000);
      const { kid, key } = await signingKey();
      return new SignJWT({ sid: sessionId, role, email_verified: emailConfirmed })
        .setProtectedHeader({ alg: "EdDSA", kid })
        .setIssuer(party)
        .setAudience(party)
        .setSubject(userId)
        .setIssuedAt(issued)
        .setExpirationTime(issued + accessTokenSecondsMax)
        .sign(key);
    },
  };
}

/**
 * Returns whether gateways send their own tokens to services. Until then, they pass access tokens on, because services
 * of version 0.1.0 accept nothing else.
 *
 * The user service decides this for all services: a compromised service could otherwise claim to be old and collect
 * access tokens. The user service gains nothing that way, because it signs them. The time is in its database, so all
 * replicas agree, and a restart cannot reset it.
 */
export async function openGatewayTokens({ sql }: Pick<Database, "sql">): Promise<() => boolean> {
  const [row] = await sql<{ waitMs: number }[]>`
    select extract(epoch from start_time - now())::float8 * 1000 as "waitMs" from gateway_token`;
  if (row === undefined) throw new Error("the table gateway_token has no row");
  const start = performance.now() + row.waitMs;
  return () => performance.now() >= start;
}

/** A one-time token and the hash that is stored. */
export interface SecretToken {
  readonly token: string;
  readonly hash: Buffer;
}

/** Creates a token for a mail. It is random, so a plain SHA-256 of it is safe to store. */
export function newSecretToken(): SecretToken {
  const token = randomBytes(secretTokenBytes).toString("base64url");
  return { token, hash: hashOf(token) };
}

/** The hash that a token is stored as. */
export function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
