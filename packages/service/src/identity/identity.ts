import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { createPersonTokens, createServiceTokens, type PersonTokens, type ServiceTokens } from "@rialto/rpc";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from "jose";
import type { Config } from "../config/config.ts";
import { makeOnce } from "../config/data-folder.ts";
import { type CallerName, callerNames } from "../service-name.ts";

/** The secrets and keys of a process. */
export interface Identity {
  /** Shared by all processes. Database passwords and derived keys come from it. */
  readonly secret: string;
  /** The public keys of all services and the gateway; `kid` is the name. */
  readonly serviceKeys: JSONWebKeySet;
  /**
   * Derives a key for one purpose. Two purposes never share a key, so a leak through one use does not affect another.
   */
  derivedKey(purpose: string): string;
  /** Returns the signer of calls for a service or gateway in this process. */
  tokensOf(caller: CallerName): ServiceTokens;
  /** Returns the signer of the tokens by which a gateway in this process names people to services. */
  personTokens(): PersonTokens;
}

/**
 * Reads secret and keys from the environment. In development, missing ones are created once in the data folder, and
 * processes that share the folder share the keys. `readConfig` refuses to start production without them. The exception
 * are service keys where all services run in this process: they are created anew and live as long as it does.
 */
export async function openIdentity(config: Config): Promise<Identity> {
  const keysDir = join(config.dataDir, "keys");
  const secret = await openSecret(config);
  const ownKeys = config.serviceKey === undefined ? await serviceKeysOf(config, keysDir) : undefined;
  const keyOf = (caller: CallerName): JWK => {
    const key = config.serviceKey ?? ownKeys?.get(caller);
    if (key === undefined) throw new Error(`${caller} has no key`);
    return key;
  };
  // One signer per caller, shared by all its clients, so that a signed token is reused by the next call.
  const tokens = new Map<CallerName, ServiceTokens>();
  let persons: PersonTokens | undefined;
  return {
    secret,
    serviceKeys: config.servicePublicKeys ?? { keys: callerNames.map((caller) => publicPartOf(keyOf(caller))) },
    derivedKey: (purpose) => createHmac("sha256", secret).update(purpose).digest("base64url"),
    tokensOf(caller) {
      const known = tokens.get(caller) ?? createServiceTokens({ name: caller, privateKey: keyOf(caller) });
      tokens.set(caller, known);
      return known;
    },
    personTokens: () => (persons ??= createPersonTokens({ name: "gateway", privateKey: keyOf("gateway") })),
  };
}

/** Reads or creates the secret alone, for commands that only create and migrate schemas. */
export async function openSecret(config: Config): Promise<string> {
  if (config.secret !== undefined) return config.secret;
  return await makeOnce(join(config.dataDir, "secret"), async () => randomBytes(32).toString("base64url"));
}

async function serviceKeysOf(config: Config, keysDir: string): Promise<ReadonlyMap<CallerName, JWK>> {
  const keys = callerNames.map(async (caller) => {
    const key = config.production ? await newKey(caller) : await openKeyFile(join(keysDir, `${caller}.jwk`), caller);
    return [caller, key] as const;
  });
  return new Map(await Promise.all(keys));
}

/**
 * Reads a private key of the data folder, and creates it there the first time. Without `kid` its id is its thumbprint.
 */
export async function openKeyFile(path: string, kid?: string): Promise<JWK> {
  // The file is ours: nothing else writes it.
  return JSON.parse(await makeOnce(path, async () => JSON.stringify(await newKey(kid), undefined, 2))) as JWK;
}

/** A new Ed25519 key. Without a name its id is its thumbprint, so that the next one can stand beside it. */
async function newKey(kid: string | undefined): Promise<JWK> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const key = await exportJWK(privateKey);
  return { ...key, kid: kid ?? (await calculateJwkThumbprint(key)), alg: "EdDSA", use: "sig" };
}

function publicPartOf({ d: _private, ...key }: JWK): JWK {
  return key;
}
