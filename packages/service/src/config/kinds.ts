import { createPrivateKey, createPublicKey } from "node:crypto";
import { isIP } from "node:net";
import { parseServiceUrl } from "@rialto/rpc/service-url";
import { EnvError, makeValidator, type ValidatorSpec } from "envalid";
import type { JSONWebKeySet, JWK } from "jose";

/**
 * The rule for the value of an environment variable. A violation is reported by the rule, never by the value: it may be
 * a secret.
 */
export type Kind<T> = ValidatorSpec<T>;

function kind<T>(parse: (input: string) => T): Kind<T> {
  return makeValidator<T>(parse)({ default: undefined }) as Kind<T>;
}

/** A URL with one of these protocols. */
export const urlOf = (...protocols: readonly string[]) =>
  kind<string>((input) => {
    const rule = `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`;
    if (!URL.canParse(input) || !protocols.includes(new URL(input).protocol)) throw new EnvError(rule);
    return input;
  });

export const postgresUrl = urlOf("postgres:", "postgresql:");

/** An HTTP URL that paths are appended to: no user, query or fragment. A slash at its end is removed. */
export const baseUrl = kind<string>((input) => {
  if (!isBaseUrl(input))
    throw new EnvError('must be a URL that begins with http:// or https://, without user, password, "?" and "#"');
  return input.replace(/\/+$/, "");
});

function isBaseUrl(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "" && !/[?#]/.test(text);
}

/** The URL of a service, or several separated by commas: of replicas, or of names whose addresses are replicas. */
export const serviceUrls = kind<readonly string[]>((input) => {
  const urls = input.split(",").map((url) => url.trim().replace(/\/+$/, ""));
  if (!urls.every((url) => parseServiceUrl(url) !== undefined))
    throw new EnvError("must be one or more URLs, separated by commas: http://, https:// or dns:///NAME:PORT");
  return urls;
});

/** IP addresses and CIDR blocks, separated by commas. */
export const addressBlocks = kind<readonly string[]>((input) => {
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

/** A block with a shorter prefix is not a network of proxies or backends: it is a large part of the Internet. */
const prefixBitsMin = { 4: 8, 6: 7 } as const;

/** Whether a CIDR block is too large for production to trust. */
export function isTooWide(block: string): boolean {
  const [address = "", bits] = block.split("/");
  if (bits === undefined) return false;
  if (!address.includes(":")) return Number(bits) < prefixBitsMin[4];
  // IPv6 maps all of IPv4 into 96 bits under this prefix.
  const isMapped = /^(::|0{0,4}(:0{1,4}){4}:)ffff:/i.test(address);
  return isMapped ? Number(bits) < 96 + prefixBitsMin[4] : Number(bits) < prefixBitsMin[6];
}

/** Origins of web pages, separated by commas. */
export const origins = kind<readonly string[]>((input) => {
  const all = input.split(",").map((origin) => origin.trim());
  if (!all.every((origin) => /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin))
    throw new EnvError("must be one or more origins like https://shop.example, separated by commas");
  return all;
});

/** A whole number within bounds. */
export const wholeNumber = (min: number, max: number) =>
  kind<number>((input) => {
    const number = Number(input);
    if (!/^\d+$/.test(input) || number < min || number > max)
      throw new EnvError(`must be a whole number from ${min} to ${max}`);
    return number;
  });

/** A share, 0 to 1. */
export const ratio = kind<number>((input) => {
  const number = Number(input);
  if (!/^\d(?:\.\d+)?(?:e-\d+)?$/i.test(input) || number > 1) throw new EnvError("must be a number from 0 to 1");
  return number;
});

/** Names and values as in the header `baggage`: "name=value,name=value", with values percent-encoded. */
export const keyValues = kind<Readonly<Record<string, string>>>((input) => {
  const pairs = input.split(",").map((pair) => {
    const [, name = "", value = ""] = /^\s*([\w.!#$%&'*+^`|~-]+)\s*=\s*([^\s,;]*)\s*$/.exec(pair) ?? [];
    try {
      return [name, decodeURIComponent(value)] as const;
    } catch {
      return ["", ""] as const;
    }
  });
  if (pairs.some(([name]) => name === ""))
    throw new EnvError("must be names and values: name=value,name=value, with values percent-encoded");
  return Object.fromEntries(pairs);
});

/** A duration, in seconds: "900", "900s", "15m", "1h". */
export const seconds = kind<number>((input) => {
  const [, digits, unit = "s"] = /^(\d{1,6})([smh]?)$/.exec(input) ?? [];
  const count = Number(digits) * (unit === "h" ? 3_600 : unit === "m" ? 60 : 1);
  if (digits === undefined || count < 1 || count > 86_400)
    throw new EnvError("must be a time from 1s to 24h: 900s, 15m, 1h");
  return count;
});

export const portNumber = kind<number>((input) => {
  const port = Number(input);
  if (!/^\d{1,5}$/.test(input) || port > 65_535)
    throw new EnvError("must be a port number, 0 to 65535 (0 takes a free one)");
  return port;
});

/** An IP address of this machine to listen on. */
export const hostAddress = kind<string>((input) => {
  const address = input === "localhost" ? "127.0.0.1" : input.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0)
    throw new EnvError("must be an IP address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 or :: for all");
  return address;
});

export const flag = kind<boolean>((input) => {
  if (["1", "true", "yes", "on"].includes(input)) return true;
  if (["0", "false", "no", "off"].includes(input)) return false;
  throw new EnvError("must be true or false");
});

/** A name that can be part of other names. */
export const shortName = kind<string>((input) => {
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(input))
    throw new EnvError("must be 1 to 40 small letters, digits and dashes, and begin with a letter or digit");
  return input;
});

/** Names, separated by commas. */
export const nameList = kind<readonly string[]>((input) => {
  const names = input.split(",").map((name) => name.trim());
  if (!names.every((name) => /^[\w.-]{1,64}$/.test(name))) throw new EnvError("must be names, separated by commas");
  return names;
});

/** Text. */
export const text = kind<string>((input) => input);

/** Text of a limited length. */
export const textOf = (lengthMin: number, lengthMax: number) =>
  kind<string>((input) => {
    if (input.length < lengthMin || input.length > lengthMax)
      throw new EnvError(`must be ${lengthMin} to ${lengthMax} characters long`);
    return input;
  });

/** The e-mail address of an account, in ASCII, as the contract requires. */
export const emailAddress = kind<string>((input) => {
  if (!/^[!-~]+$/.test(input) || !/^[^@<>]+@[^@<>]+$/.test(input) || input.length > 254)
    throw new EnvError("must be an e-mail address, in ASCII");
  return input;
});

/** The sender of mails: an address, or a name with the address in angle brackets. */
export const mailbox = kind<string>((input) => {
  if (!/^([^<>\r\n]*<[^\s@<>]+@[^\s@<>]+>|[^\s@<>]+@[^\s@<>]+)$/.test(input))
    throw new EnvError('must be an e-mail address, or a name and one: "Rialto <shop@example.com>"');
  return input;
});

/** One of these words. */
export const oneOf = <const T extends readonly string[]>(...words: T) =>
  kind<T[number]>((input) => {
    const word = words.find((candidate) => candidate === input);
    if (word === undefined) throw new EnvError(`must be one of ${words.join(", ")}`);
    return word;
  });

/** A private Ed25519 key as a JSON Web Key. */
export const privateKey = kind<JWK>((input) => {
  const key = parseJson(input);
  if (!isEd25519(key) || !isPrivate(key))
    throw new EnvError("must be a private Ed25519 key as a JSON Web Key (kty OKP, crv Ed25519, kid, x, d)");
  if (!isPair(key)) throw new EnvError("must have an x that belongs to its d: what it signs would be refused");
  return key;
});

/** Public Ed25519 keys as a JSON Web Key Set; `kid` is the name of the service that signs with it. */
export const publicKeys = kind<JSONWebKeySet>((input) => {
  const set = parseJson(input);
  const keys: unknown = typeof set === "object" && set !== null ? Reflect.get(set, "keys") : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => isEd25519(key) && !("d" in key)))
    throw new EnvError(
      'must be a JSON Web Key Set of public Ed25519 keys: {"keys":[{"kty":"OKP",...}]}, kid the service\'s name',
    );
  return { keys };
});

/** Whether this is an Ed25519 key with a key id. */
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

/** Whether the public half of a private key belongs to it. */
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

/** Whether this key can sign. */
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
