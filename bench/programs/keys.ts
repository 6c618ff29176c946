import { generateKeyPairSync, sign } from "node:crypto";
import type { createServiceTokens } from "../../packages/rpc/src/index.ts";

/** The keys of one run: of access tokens, and of the gateway. */
export interface Keys {
  readonly access: KeyPair;
  readonly gateway: KeyPair;
}

/** A key as `packages/rpc` takes it. */
type JWK = Parameters<typeof createServiceTokens>[0]["privateKey"];

interface KeyPair {
  readonly private: JWK;
  readonly public: JWK;
}

export const customerId = "0197f000-0000-7000-8000-000000000001";

/** The id of one of many customers; of the first one, `customerId`. */
export function customerIdOf(index: number): string {
  return `0197f000-0000-7000-8000-${(index + 1).toString(16).padStart(12, "0")}`;
}

const accessSeconds = 900;

/** Makes the keys of a run. */
export function createKeys(): Keys {
  return { access: keyPair("access-1"), gateway: keyPair("gateway") };
}

/** Signs an access token of a customer, as the user service would. */
export function accessToken({ access }: Keys, index: number): string {
  const issued = Math.floor(Date.now() / 1_000);
  const header = { alg: "EdDSA", kid: access.private.kid };
  const claims = { iss: "rialto", aud: "rialto", sub: customerIdOf(index), sid: `session-${index}`, role: "CUSTOMER" };
  const input = [header, { ...claims, iat: issued, exp: issued + accessSeconds }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign(null, Buffer.from(input), { key: { ...access.private }, format: "jwk" });
  return `${input}.${signature.toString("base64url")}`;
}

function keyPair(kid: string): KeyPair {
  const pair = generateKeyPairSync("ed25519");
  const common = { kid, alg: "EdDSA" };
  return {
    private: { ...(pair.privateKey.export({ format: "jwk" }) as JWK), ...common },
    public: { ...(pair.publicKey.export({ format: "jwk" }) as JWK), ...common, use: "sig" },
  };
}
