import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** A smaller response fits into a packet or two, so that compressing it gains nothing. */
const bytesMin = 1_024;
/** Larger than any page. A larger response is sent as it is, because compressing it would delay other requests. */
const bytesMax = 1024 * 1024;

/** A response body and its content encoding; undefined if it is not compressed. */
export interface Encoded {
  readonly bytes: Uint8Array;
  readonly encoding: "br" | "gzip" | undefined;
}

/**
 * Compresses a response by what its client accepts (RFC 9110, section 12.5.3), within the sizes that are worth it. Runs
 * off the event loop.
 */
export async function compressed(bytes: Uint8Array, acceptEncoding: string | undefined): Promise<Encoded> {
  const encoding =
    bytes.byteLength < bytesMin || bytes.byteLength > bytesMax ? undefined : encodingFor(acceptEncoding ?? "");
  switch (encoding) {
    case "br":
      return { bytes: await promisify(brotliCompress)(bytes, { params: quick }), encoding };
    case "gzip":
      return { bytes: await promisify(gzip)(bytes), encoding };
    case undefined:
      return { bytes, encoding };
  }
}

/** The best quality takes a hundred times as long, for a tenth less. */
const quick = { [constants.BROTLI_PARAM_QUALITY]: 4 };

/**
 * Returns the encoding that a client prefers of ours, brotli if it has no preference; undefined if it accepts neither.
 */
export function encodingFor(acceptEncoding: string): "br" | "gzip" | undefined {
  const weights = new Map<string, number>();
  for (const part of acceptEncoding.toLowerCase().split(",")) {
    const [, name, q = "1"] = /^\s*([a-z0-9*-]+)\s*(?:;\s*q=(\d(?:\.\d{0,3})?)\s*)?$/.exec(part) ?? [];
    if (name !== undefined) weights.set(name, Number(q));
  }
  const weightOf = (name: string) => weights.get(name) ?? weights.get("*") ?? 0;
  const [br, zip] = [weightOf("br"), weightOf("gzip")];
  if (br === 0 && zip === 0) return undefined;
  return br >= zip ? "br" : "gzip";
}
