import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** A smaller response fits into a packet or two, so that compressing it gains nothing. */
const bytesMin = 1_024;
/** Larger than any page. A larger response is sent as it is, because compressing it would delay other requests. */
const bytesMax = 1024 * 1024;

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/** How a body is compressed. */
export type Encoding = "br" | "gzip";

/**
 * Returns how to compress a body of so many bytes, by what its client accepts (RFC 9110, section 12.5.3); undefined
 * where it accepts nothing of ours, or it is not worth it.
 */
export function encodingOf(bytes: number, acceptEncoding: string | undefined): Encoding | undefined {
  if (acceptEncoding === undefined || bytes < bytesMin || bytes > bytesMax) return undefined;
  return encodingFor(acceptEncoding);
}

/** Compresses a body off the event loop. */
export function compress(bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array> {
  switch (encoding) {
    case "br":
      return brotli(bytes, { params: quick });
    case "gzip":
      return zip(bytes);
  }
}

/** The best quality takes a hundred times as long, for a tenth less. */
const quick = { [constants.BROTLI_PARAM_QUALITY]: 4 };

/**
 * Returns the encoding that a client prefers of ours, brotli if it has no preference; undefined if it accepts neither.
 */
export function encodingFor(acceptEncoding: string): Encoding | undefined {
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(",")) {
    const [, name, q = "1"] = /^\s*([a-z0-9*-]+)\s*(?:;\s*q=(\d(?:\.\d{0,3})?)\s*)?$/.exec(part) ?? [];
    if (name !== undefined) weights.set(name, Number(q));
  }
  const weightOf = (name: string) => weights.get(name) ?? weights.get("*") ?? 0;
  const [br, gz] = [weightOf("br"), weightOf("gzip")];
  if (br === 0 && gz === 0) return undefined;
  return br >= gz ? "br" : "gzip";
}
