import { createHash, randomBytes } from "node:crypto";
import { importJWK, type JWK, SignJWT } from "jose";
import type { UserRole } from "./user.ts";

/** How long an access token is good for. */
export const accessTokenSecondsMax = 900;

const party = "rialto";
const refreshTokenBytes = 32;

/** Signs access tokens, and tells the key that they are checked with. */
export interface AccessTokens {
  sign(o: {
    readonly userId: string;
    readonly role: UserRole;
    readonly sessionId: string;
    readonly now: Date;
  }): Promise<string>;
  readonly publicKey: PublicKey;
}

interface PublicKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly kid: string;
  readonly alg: string;
  readonly use: string;
}

/** Makes the signer of access tokens from a private Ed25519 key. */
export async function createAccessTokens(signingKey: JWK): Promise<AccessTokens> {
  const key = await importJWK(signingKey, "EdDSA");
  const { kty = "", crv = "", x = "", kid = "" } = signingKey;
  return {
    publicKey: { kty, crv, x, kid, alg: "EdDSA", use: "sig" },
    sign: ({ userId, role, sessionId, now }) => {
      const issued = Math.floor(now.getTime() / 1000);
      return new SignJWT({ sid: sessionId, role })
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

/** A new refresh token: random, so its plain SHA-256 is all that needs to be kept. */
export function newRefreshToken(): { readonly token: string; readonly hash: Buffer } {
  const token = randomBytes(refreshTokenBytes).toString("base64url");
  return { token, hash: hashOf(token) };
}

/** The hash that a refresh token is stored under. */
export function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
