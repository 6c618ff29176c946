import { describe, expect, it } from "vitest";
import { nextPageToken, pageOf, reasonOf } from "../src/index.ts";

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
});
