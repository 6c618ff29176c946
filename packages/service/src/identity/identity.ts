import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { createPersonTokens, createServiceTokens, type PersonTokens, type ServiceTokens } from "@rialto/rpc";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from "jose";
import type { Config } from "../config/config.ts";
import { makeOnce } from "../config/data-folder.ts";
import { type CallerName, callerNames } from "../service-name.ts";
import { openSigningKeys, type SigningKeys } from "./signing-keys.ts";

/** What a process proves itself and others with. */
export interface Identity {
  /** Shared by all processes: database passwords and every key for one purpose come from it. */
  readonly secret: string;
  /** The public keys of everybody that may call as a service; `kid` is the name. */
  readonly serviceKeys: JSONWebKeySet;
  /** A key for one purpose. Two purposes never share one, so what leaks through one use is of none in another. */
  derivedKey(purpose: string): string;
  /** The keys of access tokens, as they are now. */
  signingKeys(): Promise<SigningKeys>;
  /** What signs the calls of one of those that run here. */
  tokensOf(caller: CallerName): ServiceTokens;
  /** What signs for the people whose calls a gateway that runs here passes on. */
  personTokens(): PersonTokens;
}

/**
 * Takes secret and keys from the environment. In development what is not there is made in the data folder, once: processes that share
 * the folder share the keys. Production never gets here without them (`readConfig` refuses), but for the keys of services that all run
 * in this process: those need to last no longer than it does.
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
  // One for each caller, shared by all its clients: what was signed for one call is good for the next.
  const tokens = new Map<CallerName, ServiceTokens>();
  let persons: PersonTokens | undefined;
  return {
    secret,
    serviceKeys: config.servicePublicKeys ?? { keys: callerNames.map((caller) => publicPartOf(keyOf(caller))) },
    derivedKey: (purpose) => createHmac("sha256", secret).update(purpose).digest("base64url"),
    signingKeys: openSigningKeys(config, () => keyFile(join(keysDir, "access-token.jwk"), undefined)),
    tokensOf(caller) {
      const known = tokens.get(caller) ?? createServiceTokens({ name: caller, privateKey: keyOf(caller) });
      tokens.set(caller, known);
      return known;
    },
    personTokens: () => (persons ??= createPersonTokens({ name: "gateway", privateKey: keyOf("gateway") })),
  };
}

/** The secret alone, for what only makes and migrates schemas. */
export async function openSecret(config: Config): Promise<string> {
  if (config.secret !== undefined) return config.secret;
  return await makeOnce(join(config.dataDir, "secret"), async () => randomBytes(32).toString("base64url"));
}

async function serviceKeysOf(config: Config, keysDir: string): Promise<ReadonlyMap<CallerName, JWK>> {
  const keys = callerNames.map(async (caller) => {
    const key = config.production ? await newKey(caller) : await keyFile(join(keysDir, `${caller}.jwk`), caller);
    return [caller, key] as const;
  });
  return new Map(await Promise.all(keys));
}

async function keyFile(path: string, kid: string | undefined): Promise<JWK> {
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
