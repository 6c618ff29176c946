import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerBytesMax, nextPageToken, page as pageOfList, reasonOf } from "../src/index.ts";
import { pageOf } from "../src/server/paging.ts";

const filter = { userId: "u-1", status: 3 };
const keys = ["2026-11-24T10:00:00.000Z", "0197f000-0000-7000-8000-000000000001"];
const token = nextPageToken(keys, filter);

const isTime = (text: string) => text.endsWith("Z");
const isId = (text: string) => text.startsWith("0197");
const sortKeys = [isTime, isId] as const;

function refusalOf(pageToken: string, other: unknown = filter): string | undefined {
  try {
    pageOf({ pageSize: 0, pageToken }, other, sortKeys);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

describe("a page token", () => {
  it("leads to the row that it was made for", () => {
    expect(pageOf({ pageSize: 10, pageToken: token }, filter, sortKeys)).toEqual({ limit: 10, after: keys });
  });

  it("is opaque, and fits into a URL and the contract's bound", () => {
    expect(token).toMatch(/^[\w-]+$/);
    expect(token.length).toBeLessThan(1024);
  });

  it("does not mind the order in which the filter is written, nor int64", () => {
    const written = nextPageToken(keys, { a: 1n, b: { c: 1, d: undefined } });
    expect(pageOf({ pageSize: 0, pageToken: written }, { b: { c: 1 }, a: 1n }, sortKeys).after).toEqual(keys);
  });

  it("is refused for another filter", () => {
    expect(refusalOf(token, { ...filter, status: 4 })).toBe("PAGE_TOKEN_INVALID");
    expect(refusalOf(token, {})).toBe("PAGE_TOKEN_INVALID");
  });

  it.each([
    ["one that is no time", ["yesterday", keys[1] ?? ""]],
    ["one that is no id", [keys[0] ?? "", "x"]],
    ["them in another order", keys.toReversed()],
    ["too few", keys.slice(0, 1)],
    ["too many", [...keys, keys[0] ?? ""]],
    ["none", []],
  ])("is refused where somebody made it up with other keys: %s", (_, others) => {
    expect(refusalOf(nextPageToken(others, filter))).toBe("PAGE_TOKEN_INVALID");
  });

  it("is refused when any one character of it was changed, or it is not one", () => {
    for (let at = 0; at < token.length; at += 1) {
      const other = token[at] === "A" ? "g" : "A";
      expect(refusalOf(`${token.slice(0, at)}${other}${token.slice(at + 1)}`), `at ${at}`).toBe("PAGE_TOKEN_INVALID");
    }
    for (const text of ["x", "%%%", "null", token.slice(4), `${token}AAAA`]) {
      expect(refusalOf(text), text).toBe("PAGE_TOKEN_INVALID");
    }
  });
});

describe("a page", () => {
  it("has 50 rows where nothing is said, and 200 at the most", () => {
    const limitOf = (pageSize: number) => pageOf({ pageSize, pageToken: "" }, filter, sortKeys).limit;
    expect([0, 1, 200, 100_000].map(limitOf)).toEqual([50, 1, 200, 200]);
    expect(pageOf({ pageSize: 0, pageToken: "" }, filter, sortKeys).after).toBeUndefined();
  });

  /** Rows of many sizes: some small, some of a quarter of what an answer may have, a few larger than it. */
  const sizes = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.nat(1_000) },
      { weight: 4, arbitrary: fc.integer({ min: answerBytesMax / 4, max: answerBytesMax }) },
      { weight: 1, arbitrary: fc.integer({ min: answerBytesMax + 1, max: 2 * answerBytesMax }) },
    ),
    { maxLength: 40 },
  );

  it("ends by bytes as well as by rows: every row comes once, in order, on a page that is in its bounds and not empty", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 12 }), async (all, pageSize) => {
        const rows = all.map((bytes, at) => ({ id: `0197${String(at).padStart(3, "0")}`, bytes }));
        const seen: string[] = [];
        for (let pageToken = ""; ; ) {
          let found: typeof rows = [];
          const limit = pageSize;
          const page = await pageOfList(
            { pageSize, pageToken },
            {
              filter,
              sortKeys: [isId],
              read: async ({ after, limit: rowsMax }) => {
                found = rows.filter(({ id }) => after === undefined || id > after[0]).slice(0, rowsMax);
                return found;
              },
              keysOf: ({ id }) => [id],
              messageOf: (row) => row,
              bytesOf: ({ bytes }) => bytes,
            },
          );
          const bytes = page.messages.reduce((sum, message) => sum + message.bytes, 0);
          expect(page.messages.length).toBeLessThanOrEqual(limit);
          expect(page.messages.length === 1 || bytes <= answerBytesMax).toBe(true);
          if (found.length > 0) expect(page.messages).not.toEqual([]);
          // It is cut no sooner than it must be.
          const next = found[page.messages.length];
          if (next !== undefined && page.messages.length < limit)
            expect(bytes + next.bytes).toBeGreaterThan(answerBytesMax);
          seen.push(...page.messages.map(({ id }) => id));
          pageToken = page.nextPageToken;
          if (pageToken === "") break;
        }
        expect(seen).toEqual(rows.map(({ id }) => id));
      }),
    );
  });
});
