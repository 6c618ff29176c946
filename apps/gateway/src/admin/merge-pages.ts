/** A page of one service's list, in the order of its keys. */
export interface ListPage<Row> {
  readonly rows: readonly Row[];
  readonly nextPageToken: string;
}

/**
 * Makes one list of the pages that several services answered to one page token. `compare` is the order that all of them keep.
 *
 * A page that is not its list's last says nothing of what comes behind its last row, and it may be short, as pages end by bytes too. So the merged
 * rows end with the first such row: what the others have behind it comes with the next page, after what that service has there.
 */
export function mergePages<Row>(
  pages: readonly ListPage<Row>[],
  compare: (one: Row, other: Row) => number,
): { readonly rows: readonly Row[]; readonly hasMore: boolean } {
  const unfinished = pages.filter(({ nextPageToken }) => nextPageToken !== "");
  const [end] = unfinished
    .map(({ rows }) => rows.at(-1))
    .filter((row) => row !== undefined)
    .sort(compare);
  const all = pages.flatMap(({ rows }) => rows).sort(compare);
  const rows = end === undefined ? all : all.filter((row) => compare(row, end) <= 0);
  return { rows, hasMore: unfinished.length > 0 };
}
