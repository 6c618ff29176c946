import { createPrivateKey, createPublicKey } from "node:crypto";
import { isIP } from "node:net";
import { EnvError, makeValidator } from "envalid";
import type { JSONWebKeySet, JWK } from "jose";

/**
 * The kinds of value that an environment variable can have. Each failure is the rule in words, never the value: it may
 * be a secret.
 */

/** A URL with one of these protocols. */
export const urlOf = (...protocols: readonly string[]) =>
  makeValidator<string>((input) => {
    const rule = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`;
    if (!URL.canParse(input) || !protocols.includes(new URL(input).protocol)) throw new EnvError(rule);
    return input;
  });

/** An HTTP URL that paths are added to: nothing may stand behind its own path, and no name before its host. */
export const baseUrl = makeValidator<string>((input) => {
  if (!isBaseUrl(input))
    throw new EnvError('must be a URL that begins with http:// or https://, without user, password, "?" and "#"');
  return input;
});

function isBaseUrl(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "" && !/[?#]/.test(text);
}

/** One HTTP URL, or several with commas between them, one for each replica. */
export const httpUrls = makeValidator<readonly string[]>((input) => {
  const urls = input.split(",").map((url) => url.trim().replace(/\/+$/, ""));
  if (!urls.every(isBaseUrl)) throw new EnvError("must be one or more http:// or https:// URLs, separated by commas");
  return urls;
});

/** IP addresses and CIDR blocks, with commas between them. */
export const addressBlocks = makeValidator<readonly string[]>((input) => {
  const blocks = input.split(",").map((block) => block.trim());
  const isBlock = (block: string) => {
    const [address = "", bits, more] = block.split("/");
    const family = isIP(address);
    const isWidth = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
    return family !== 0 && isWidth && more === undefined;
  };
  if (!blocks.every(isBlock)) throw new EnvError("must be IP addresses or CIDR blocks, separated by commas");
  return blocks;
});

/** Origins of web pages, with commas between them. */
export const origins = makeValidator<readonly string[]>((input) => {
  const all = input.split(",").map((origin) => origin.trim());
  if (!all.every((origin) => /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin))
    throw new EnvError("must be one or more origins like https://shop.example, separated by commas");
  return all;
});

/** A whole number within bounds. */
export const wholeNumber = (min: number, max: number) =>
  makeValidator<number>((input) => {
    const number = Number(input);
    if (!/^\d+$/.test(input) || number < min || number > max)
      throw new EnvError(`must be a whole number from ${min} to ${max}`);
    return number;
  });

/** A time of seconds to hours, as seconds: "900", "900s", "15m", "1h". */
export const seconds = makeValidator<number>((input) => {
  const [, digits, unit = "s"] = /^(\d{1,6})([smh]?)$/.exec(input) ?? [];
  const count = Number(digits) * (unit === "h" ? 3_600 : unit === "m" ? 60 : 1);
  if (digits === undefined || count < 1 || count > 86_400)
    throw new EnvError("must be a time from 1s to 24h: 900s, 15m, 1h");
  return count;
});

export const portNumber = makeValidator<number>((input) => {
  const port = Number(input);
  if (!/^\d{1,5}$/.test(input) || port > 65_535)
    throw new EnvError("must be a port number, 0 to 65535 (0 takes a free one)");
  return port;
});

/** An IP address of this machine to listen on. */
export const hostAddress = makeValidator<string>((input) => {
  const address = input === "localhost" ? "127.0.0.1" : input.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0)
    throw new EnvError("must be an IP address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 or :: for all");
  return address;
});

export const flag = makeValidator<boolean>((input) => {
  if (["1", "true", "yes", "on"].includes(input)) return true;
  if (["0", "false", "no", "off"].includes(input)) return false;
  throw new EnvError("must be true or false");
});

/** A name that can stand in other names. */
export const shortName = makeValidator<string>((input) => {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(input))
    throw new EnvError("must be 1 to 40 small letters, digits and dashes, and begin with a letter or digit");
  return input;
});

/** Text of a length. */
export const textOf = (lengthMin: number, lengthMax: number) =>
  makeValidator<string>((input) => {
    if (input.length < lengthMin || input.length > lengthMax)
      throw new EnvError(`must be ${lengthMin} to ${lengthMax} characters long`);
    return input;
  });

/** An address that an account can have: the contract takes no other than ASCII either. */
export const emailAddress = makeValidator<string>((input) => {
  if (!/^[!-~]+$/.test(input) || !/^[^@<>]+@[^@<>]+$/.test(input) || input.length > 254)
    throw new EnvError("must be an e-mail address, in ASCII");
  return input;
});

/** Who mails come from: an address, or a name with the address in angle brackets. */
export const mailbox = makeValidator<string>((input) => {
  if (!/^([^<>\r\n]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/.test(input))
    throw new EnvError('must be an e-mail address, or a name and one: "Rialto <shop@example.com>"');
  return input;
});

/** One of these words. */
export const oneOf = <const T extends readonly string[]>(...words: T) =>
  makeValidator<T[number]>((input) => {
    const word = words.find((candidate) => candidate === input);
    if (word === undefined) throw new EnvError(`must be one of ${words.join(", ")}`);
    return word;
  });

/** A private Ed25519 key as a JSON Web Key. */
export const privateKey = makeValidator<JWK>((input) => {
  const key = parseJson(input);
  if (!isEd25519(key) || !isPrivate(key))
    throw new EnvError("must be a private Ed25519 key as a JSON Web Key (kty OKP, crv Ed25519, kid, x, d)");
  if (!isPair(key)) throw new EnvError("must have an x that belongs to its d: what it signs would be refused");
  return key;
});

/** Public Ed25519 keys as a JSON Web Key Set; `kid` is the name of the service that signs with it. */
export const publicKeys = makeValidator<JSONWebKeySet>((input) => {
  const set = parseJson(input);
  const keys: unknown = typeof set === "object" && set !== null ? Reflect.get(set, "keys") : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => isEd25519(key) && !("d" in key)))
    throw new EnvError(
      'must be a JSON Web Key Set of public Ed25519 keys: {"keys":[{"kty":"OKP",...}]}, kid the service\'s name',
    );
  return { keys };
});

/** True for an Ed25519 key with the name that tokens call it by. */
export function isEd25519(key: unknown): key is JWK {
  return (
    typeof key === "object" &&
    key !== null &&
    Reflect.get(key, "kty") === "OKP" &&
    Reflect.get(key, "crv") === "Ed25519" &&
    typeof Reflect.get(key, "x") === "string" &&
    typeof Reflect.get(key, "kid") === "string"
  );
}

/** True for a private key whose public half is its own. */
export function isPair({ x = "", d = "" }: JWK): boolean {
  try {
    const { x: belonging } = createPublicKey(
      createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", x, d }, format: "jwk" }),
    ).export({
      format: "jwk",
    });
    return belonging === x;
  } catch {
    return false;
  }
}

/** True for a key that can sign. */
export function isPrivate(key: JWK): boolean {
  return typeof key.d === "string";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
