import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ListProductsResponseSchema } from "@rialto/contracts";
import { createSharedLoader, type Database, type Loader } from "@rialto/database";
import { readPage, shareAnswer } from "@rialto/rpc";
import { productBytes, productMessage } from "../product/message.ts";
import type { Product } from "../product/state.ts";
import type { ProductFilter, ProductStore } from "../product/store.ts";

/** A page of the catalog: without words, which are searched for one by one. */
export interface CatalogPage {
  readonly filter: Omit<ProductFilter, "words">;
  /** How many products it may have, and the id that they come after. */
  readonly from: { readonly limit: number; readonly after: readonly [string] | undefined };
}

/** Reads pages of the catalog. Those who want the same page at the same moment share one statement and one answer. */
export type CatalogPages = Loader<CatalogPage, MessageInitShape<typeof ListProductsResponseSchema>>;

/** Creates the reader of pages. */
export function createCatalogPages(
  products: ProductStore,
  { freezesShared: freezes }: Pick<Database, "freezesShared">,
): CatalogPages {
  return createSharedLoader({
    freezes,
    // Who sees what is not on sale does not share with who does not.
    keyOf: ({ filter: { category, activeOnly }, from: { limit, after } }) =>
      JSON.stringify([activeOnly, limit, after ?? null, category ?? null]),
    async read({ filter, from }) {
      const { messages, nextPageToken } = await readPage(from, {
        ...listOf({ ...filter, words: [] }),
        read: ({ after, limit }) => products.list({ ...filter, words: [] }, { after: after?.[0], limit }),
      });
      return shareAnswer({ products: messages, nextPageToken });
    },
  });
}

/** Returns what the pages of a filter have in common. */
export function listOf({ words, category, activeOnly }: ProductFilter) {
  return {
    // The filter that a page token is bound to, in the form of version 0.1.
    filter: { patterns: words.map(({ pattern }) => pattern), category, activeOnly },
    keysOf: ({ id }: Product) => [id],
    messageOf: productMessage,
    bytesOf: productBytes,
  };
}
