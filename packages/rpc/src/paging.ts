import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { type PageToken, PageTokenSchema } from "@rialto/contracts";
import { callErrors } from "./call-errors.ts";
import { refuse } from "./errors.ts";
import { pageRowsDefault, pageRowsMax } from "./limits.ts";

/**
 * Reads what a list request says of its page. `filter` is everything else that the request asks for: a token made for
 * another filter, or changed on the way, is refused with PAGE_TOKEN_INVALID.
 */
export function pageOf(
  request: { readonly pageSize: number; readonly pageToken: string },
  filter: unknown,
): { limit: number; after: readonly string[] | undefined } {
  const limit = request.pageSize <= 0 ? pageRowsDefault : Math.min(request.pageSize, pageRowsMax);
  if (request.pageToken === "") return { limit, after: undefined };
  const token = decode(request.pageToken);
  if (token === undefined || !digest(token.keys, filter).equals(token.filterHash)) {
    throw refuse(callErrors.PAGE_TOKEN_INVALID);
  }
  return { limit, after: token.keys };
}

/** The token of the page after the row with these sort keys. */
export function nextPageToken(keys: readonly string[], filter: unknown): string {
  return encode(create(PageTokenSchema, { keys: [...keys], filterHash: digest(keys, filter) }));
}

function encode(token: PageToken): string {
  return base64Encode(toBinary(PageTokenSchema, token), "url");
}

function decode(text: string): PageToken | undefined {
  try {
    const token = fromBinary(PageTokenSchema, base64Decode(text));
    // One page, one text: no second spelling of a token is taken.
    return encode(token) === text ? token : undefined;
  } catch {
    return undefined;
  }
}

/** A checksum, not a secret: whoever forges a token reads rows of their own list from another place, no more. */
function digest(keys: readonly string[], filter: unknown): Buffer {
  return createHash("sha256")
    .update(canonical([keys, filter]))
    .digest()
    .subarray(0, 16);
}

/** JSON with sorted names, so that equal filters are equal texts; int64 as text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}`;
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
