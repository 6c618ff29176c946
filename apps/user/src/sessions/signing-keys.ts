import { readFile } from "node:fs/promises";
import { isEd25519, isPair, isPrivate } from "@rialto/service";
import { ConfigurationError } from "@rialto/service/config";
import type { JSONWebKeySet, JWK } from "jose";
import type { UserConfig } from "../config.ts";

/** The keys of access tokens (Ed25519, each with its `kid`). */
export interface SigningKeys {
  /** The private key that signs. */
  readonly current: JWK;
  /** The public halves of all keys that valid tokens may be signed with: the current, the next and the previous one. */
  readonly published: readonly JWK[];
}

/** How long the content of the key file is cached. */
const fileAgeMsMax = 5_000;

/**
 * Opens the keys of access tokens: from RIALTO_SIGNING_KEY and RIALTO_SIGNING_PUBLIC_KEYS; or from a mounted file,
 * which is read again when it changes, so that keys rotate without a restart; or, in development, from the data folder.
 * A key must be published before it signs: append it to the file in every replica, and some minutes later move it to
 * the front.
 */
export function openSigningKeys(
  config: Pick<UserConfig, "signingKey" | "signingPublicKeys" | "signingKeyFile">,
  madeInDataFolder: () => Promise<JWK>,
): () => Promise<SigningKeys> {
  const { signingKeyFile: path, signingPublicKeys } = config;
  if (path !== undefined && config.signingKey === undefined) return readAgain(path);
  let made: Promise<JWK> | undefined;
  return async () => {
    if (config.signingKey === undefined) made ??= madeInDataFolder();
    const current = config.signingKey ?? (await made);
    if (current === undefined) throw new Error("a signing key is given or made");
    return keysOf(current, [current, ...(signingPublicKeys?.keys ?? [])]);
  };
}

/**
 * Keeps the known keys while the file cannot be read or parsed (it may be being replaced). At the start that is an
 * error.
 */
function readAgain(path: string): () => Promise<SigningKeys> {
  let known: { readonly keys: SigningKeys; readonly time: number } | undefined;
  return async () => {
    if (known !== undefined && Date.now() - known.time < fileAgeMsMax) return known.keys;
    try {
      known = { keys: parse(await readFile(path, "utf8")), time: Date.now() };
    } catch {
      if (known === undefined) throw new ConfigurationError([`RIALTO_SIGNING_KEY_FILE ${rule}`]);
      known = { ...known, time: Date.now() };
    }
    return known.keys;
  };
}

const rule =
  'must name a JSON Web Key Set of Ed25519 keys, {"keys":[...]}: the first private one, whose x and d belong together, signs; all are published';

function parse(text: string): SigningKeys {
  const set: unknown = JSON.parse(text);
  const keys: unknown = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
  if (!Array.isArray(keys) || !keys.every(isEd25519)) throw new Error(rule);
  const current = keys.find(isPrivate);
  if (current === undefined || !isPair(current)) throw new Error(rule);
  return keysOf(current, keys);
}

function keysOf(current: JWK, all: JSONWebKeySet["keys"]): SigningKeys {
  const published = new Map(all.map(({ kty, crv, x, kid }) => [kid, { kty, crv, x, kid, alg: "EdDSA", use: "sig" }]));
  // `isEd25519` has checked these fields of each key.
  return { current, published: [...published.values()] as JWK[] };
}
