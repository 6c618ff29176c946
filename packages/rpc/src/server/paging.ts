import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { type PageToken, PageTokenSchema } from "@rialto/contracts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { answerBytesMax, pageRowsDefault, pageRowsMax } from "../limits.ts";

/** Says whether a text can be the sort key of a row. */
type SortKey = (text: string) => boolean;

/**
 * Reads what a list request says of its page. `filter` is everything else that the request asks for, `sortKeys` are what the list's rows
 * are sorted by: a token made for another filter, changed on the way, or with keys that no row can have, is refused with PAGE_TOKEN_INVALID.
 *
 *     const { limit, after } = pageOf(request, filter, [isUuid]);
 *
 * Anybody can make a token, so what stands in one is as good as the rule for its key: what Postgres would not read must not pass.
 */
export function pageOf<const SortKeys extends readonly SortKey[]>(
  request: { readonly pageSize: number; readonly pageToken: string },
  filter: unknown,
  sortKeys: SortKeys,
): { limit: number; after: KeysOf<SortKeys> | undefined } {
  const limit = request.pageSize <= 0 ? pageRowsDefault : Math.min(request.pageSize, pageRowsMax);
  if (request.pageToken === "") return { limit, after: undefined };
  const token = decode(request.pageToken);
  if (token === undefined || !digest(token.keys, filter).equals(token.filterHash) || !areKeys(token.keys, sortKeys)) {
    throw new CallError(callErrors.PAGE_TOKEN_INVALID);
  }
  return { limit, after: token.keys };
}

/** The keys of one row: a text for each of the list's sort keys. */
type KeysOf<SortKeys extends readonly SortKey[]> = { readonly [At in keyof SortKeys]: string };

function areKeys<SortKeys extends readonly SortKey[]>(
  keys: readonly string[],
  sortKeys: SortKeys,
): keys is KeysOf<SortKeys> {
  return keys.length === sortKeys.length && sortKeys.every((isKey, at) => isKey(keys[at] ?? ""));
}

/**
 * Makes a page of the rows that were found, of which there may be more than `limit`: it ends at `limit` rows, or sooner, before the row that would make it
 * larger than an answer may be (AIP-158 lets a page have fewer rows than were asked for). It has one row at least where there is one. Where
 * more follow, the token of the next page is set; rows of merged lists may follow that are not here (`hasMore`).
 *
 *     const { messages, nextPageToken } = pageFrom(rows, { limit, filter, keysOf: ({ id }) => [id], messageOf, bytesOf });
 */
export function pageFrom<Row, Message>(
  rows: readonly Row[],
  o: {
    readonly limit: number;
    readonly filter: unknown;
    readonly keysOf: (row: Row) => readonly string[];
    readonly messageOf: (row: Row) => Message;
    readonly bytesOf: (message: Message) => number;
    readonly hasMore?: boolean;
  },
): { messages: Message[]; nextPageToken: string } {
  const messages: Message[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, o.limit)) {
    const message = o.messageOf(row);
    bytes += o.bytesOf(message);
    if (messages.length > 0 && bytes > answerBytesMax) break;
    messages.push(message);
  }
  const last = rows[messages.length - 1];
  const isLast = messages.length === rows.length && o.hasMore !== true;
  return { messages, nextPageToken: isLast || last === undefined ? "" : nextPageToken(o.keysOf(last), o.filter) };
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
