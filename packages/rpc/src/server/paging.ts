import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { type PageToken, PageTokenSchema } from "@rialto/contracts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { answerBytesMax, pageRowsDefault, pageRowsMax } from "../limits.ts";

/** Returns true for text that can be the sort key of a row. */
type SortKey = (text: string) => boolean;

/** A list, and how its rows become messages. */
export interface List<Row, Message, SortKeys extends readonly SortKey[]> {
  /** All that the request asks for, except its page. A page token is valid for the same filter only. */
  readonly filter: unknown;
  /**
   * A check for each key that the rows are sorted by. Anyone can make a token, so a key that Postgres cannot read must
   * fail its check.
   */
  readonly sortKeys: SortKeys;
  /** The most rows of a page, where the request cannot say. */
  readonly rowsMax?: number;
  /** Reads the rows after a row with these keys. `limit` is one more than the page has, to see whether more follow. */
  readonly read: (from: {
    readonly after: KeysOf<SortKeys> | undefined;
    readonly limit: number;
  }) => Promise<readonly Row[] | MergedRows<Row>>;
  readonly keysOf: (row: Row) => readonly string[];
  readonly messageOf: (row: Row) => Message;
  readonly bytesOf: (message: Message) => number;
}

/** Rows that were merged from several lists. Rows that are not here may follow. */
export interface MergedRows<Row> {
  readonly rows: readonly Row[];
  readonly hasMore: boolean;
}

/**
 * Answers a list request: reads its page token, reads the rows, and makes the page (AIP-158). A token that was made for
 * another filter, changed, or has keys that no row can have, is refused with PAGE_TOKEN_INVALID.
 *
 *     const { messages, nextPageToken } = await page(request, list);
 */
export async function page<Row, Message, const SortKeys extends readonly SortKey[]>(
  request: { readonly pageSize?: number; readonly pageToken: string },
  list: List<Row, Message, SortKeys>,
): Promise<{ messages: Message[]; nextPageToken: string }> {
  const { filter, sortKeys, rowsMax } = list;
  const pageSize = rowsMax ?? request.pageSize ?? 0;
  return await readPage(pageOf({ pageSize, pageToken: request.pageToken, rowsMax }, filter, sortKeys), list);
}

/** Reads the rows of a page that `pageOf` returned, and makes the page. */
export async function readPage<Row, Message, const SortKeys extends readonly SortKey[]>(
  { limit, after }: PageFrom<SortKeys>,
  list: Omit<List<Row, Message, SortKeys>, "sortKeys" | "rowsMax">,
): Promise<{ messages: Message[]; nextPageToken: string }> {
  const { filter, keysOf, messageOf, bytesOf } = list;
  const found = await list.read({ after, limit: limit + 1 });
  const { rows, hasMore } = "hasMore" in found ? found : { rows: found, hasMore: false };
  return pageFrom(rows, { limit, filter, hasMore, keysOf, messageOf, bytesOf });
}

/** How many rows a page may have, and the keys of the row that it comes after. */
interface PageFrom<SortKeys extends readonly SortKey[]> {
  readonly limit: number;
  readonly after: KeysOf<SortKeys> | undefined;
}

/** Reads the page of a list request. Throws PAGE_TOKEN_INVALID as `page` does. */
export function pageOf<const SortKeys extends readonly SortKey[]>(
  request: { readonly pageSize: number; readonly pageToken: string; readonly rowsMax?: number | undefined },
  filter: unknown,
  sortKeys: SortKeys,
): PageFrom<SortKeys> {
  const limit = request.pageSize <= 0 ? pageRowsDefault : Math.min(request.pageSize, request.rowsMax ?? pageRowsMax);
  if (request.pageToken === "") return { limit, after: undefined };
  const token = decode(request.pageToken);
  if (token === undefined || !digest(token.keys, filter).equals(token.filterHash) || !areKeys(token.keys, sortKeys)) {
    throw new CallError(callErrors.PAGE_TOKEN_INVALID);
  }
  return { limit, after: token.keys };
}

/** The keys of one row: text for each of the list's sort keys. */
type KeysOf<SortKeys extends readonly SortKey[]> = { readonly [At in keyof SortKeys]: string };

function areKeys<SortKeys extends readonly SortKey[]>(
  keys: readonly string[],
  sortKeys: SortKeys,
): keys is KeysOf<SortKeys> {
  return keys.length === sortKeys.length && sortKeys.every((isKey, at) => isKey(keys[at] ?? ""));
}

/**
 * Makes a page of rows, of which there may be more than `limit`. The page ends at `limit` rows, or sooner, before the
 * row that would make it larger than a response may be; AIP-158 allows that. It has at least one row where there is
 * one. The token of the next page is set where more rows follow.
 */
function pageFrom<Row, Message>(
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

/** Returns the token of the page after the row with these sort keys. */
export function nextPageToken(keys: readonly string[], filter: unknown): string {
  return encode(create(PageTokenSchema, { keys: [...keys], filterHash: digest(keys, filter) }));
}

function encode(token: PageToken): string {
  return base64Encode(toBinary(PageTokenSchema, token), "url");
}

function decode(text: string): PageToken | undefined {
  try {
    const token = fromBinary(PageTokenSchema, base64Decode(text));
    // A token has one valid encoding.
    return encode(token) === text ? token : undefined;
  } catch {
    return undefined;
  }
}

/** A checksum, not a secret: a forged token only reads the caller's own list from another row. */
function digest(keys: readonly string[], filter: unknown): Buffer {
  return createHash("sha256")
    .update(canonical([keys, filter]))
    .digest()
    .subarray(0, 16);
}

/** JSON with sorted names and int64 as text, so that equal filters are equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === "bigint") return `${inner}`;
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
