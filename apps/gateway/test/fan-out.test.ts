import { answerBytesMax, page } from "@rialto/rpc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergePages } from "../src/admin/fan-out.ts";

interface Row {
  readonly id: number;
  readonly bytes: number;
}

const rowsOf = fc.uniqueArray(
  fc.record({
    id: fc.nat(999),
    bytes: fc.oneof(fc.nat(1_000), fc.integer({ min: answerBytesMax / 4, max: answerBytesMax + 1_000 })),
  }),
  { maxLength: 40, selector: ({ id }) => id },
);

/** Makes one page, as a service and the gateway do. */
async function pageOfRows(
  request: { readonly pageSize: number; readonly pageToken: string },
  read: (after: number, limit: number) => Promise<readonly Row[] | ReturnType<typeof mergePages<Row>>>,
) {
  const { messages, nextPageToken } = await page(request, {
    filter: {},
    sortKeys: [(text) => /^\d+$/.test(text)],
    read: ({ after, limit }) => read(Number(after?.[0] ?? -1), limit),
    keysOf: ({ id }) => [`${id}`],
    messageOf: (row) => row,
    bytesOf: ({ bytes }) => bytes,
  });
  return { rows: messages, nextPageToken };
}

const byId = (one: Row, other: Row) => one.id - other.id;

describe("the pages of several services", () => {
  it("are one list: every row once and in order, however short a service's page is", async () => {
    await fc.assert(
      fc.asyncProperty(
        rowsOf,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        async (all, services, pageSize) => {
          const kept = Array.from({ length: services }, (_, at) =>
            all.filter(({ id }) => id % services === at).sort(byId),
          );
          const seen: number[] = [];
          for (let pageToken = ""; ; ) {
            const request = { pageSize, pageToken };
            const page = await pageOfRows(request, async () => {
              const pages = kept.map((rows) =>
                pageOfRows(request, async (after, limit) => rows.filter(({ id }) => id > after).slice(0, limit)),
              );
              return mergePages(await Promise.all(pages), byId);
            });
            const bytes = page.rows.reduce((sum, row) => sum + row.bytes, 0);
            expect(page.rows.length === 1 || bytes <= answerBytesMax).toBe(true);
            if (page.nextPageToken !== "") expect(page.rows).not.toEqual([]);
            seen.push(...page.rows.map(({ id }) => id));
            pageToken = page.nextPageToken;
            if (pageToken === "") break;
          }
          expect(seen).toEqual(all.map(({ id }) => id).sort((one, other) => one - other));
        },
      ),
    );
  });

  it("do not go past the last row of a page that has more after it", () => {
    const short = { rows: [{ id: 1, bytes: 1 }], nextPageToken: "more" };
    const whole = { rows: [0, 2, 3].map((id) => ({ id, bytes: 1 })), nextPageToken: "" };
    const { rows, hasMore } = mergePages([short, whole], byId);
    expect([rows.map(({ id }) => id), hasMore]).toEqual([[0, 1], true]);
  });
});
