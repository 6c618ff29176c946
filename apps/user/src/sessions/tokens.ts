import { createHash, randomBytes } from "node:crypto";
import { accessTokenSecondsMax } from "@rialto/rpc";
import type { SigningKeys } from "@rialto/service";
import { importJWK, type JWK, SignJWT } from "jose";
import type { UserRole } from "../user/state.ts";

const party = "rialto";
const secretTokenBytes = 32;

/** Signs access tokens, and tells the keys that they are checked with. */
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

/** Makes the signer of access tokens. The keys are asked for each time: they change while the process runs. */
export async function createAccessTokens(signingKeys: () => Promise<SigningKeys>): Promise<AccessTokens> {
  let imported: { readonly jwk: JWK; readonly key: ReturnType<typeof importJWK> } | undefined;
  const signingKey = async () => {
    const { current } = await signingKeys();
    if (imported?.jwk !== current) imported = { jwk: current, key: importJWK(current, "EdDSA") };
    return { kid: current.kid ?? "", key: await imported.key };
  };
  await signingKey(); // A key that is none is said at the start.
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

/** A token that is given once, and the hash that it is stored under. */
export interface SecretToken {
  readonly token: string;
  readonly hash: Buffer;
}

/** A new token for a mail: random, so its plain SHA-256 is all that needs to be kept. */
export function newSecretToken(): SecretToken {
  const token = randomBytes(secretTokenBytes).toString("base64url");
  return { token, hash: hashOf(token) };
}

/** The hash that such a token is stored under. */
export function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
