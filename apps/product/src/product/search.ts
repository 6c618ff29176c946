import { BulkheadFull, createBulkhead } from "@rialto/async";
import type { Database } from "@rialto/database";
import { limitKeyOf } from "@rialto/http";
import { CallError, callErrors } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Product } from "./state.ts";
import { listProducts, type ProductFilter, type ProductPage } from "./store.ts";

/** Concurrent searches. They have their own connections, so that orders and lists do not wait for them. */
const searchesMax = 2;
const searchesWaitingMax = 50;
/** The timeout of a search. A slower one has found no index and delays the others. */
const searchMsMax = 1_000;

/** The caller of a search. */
export interface SearchCaller {
  readonly signal: AbortSignal;
  /** The client's address. Calls from inside share one. */
  readonly clientAddress?: string;
}

/** Finds products by the words of a query. */
export interface ProductSearch {
  /**
   * Returns the newest products first. Addresses take turns, so that many searches from one do not delay the others.
   * Throws SEARCH_TOO_BROAD, or TEMPORARILY_UNAVAILABLE if too many searches wait.
   */
  find(filter: ProductFilter, page: ProductPage, caller: SearchCaller): Promise<readonly Product[]>;
}

/** Opens the search on its own connections, which close with the database. */
export function createProductSearch(
  database: Pick<Database, "pool">,
  o: { readonly msMax: number } = { msMax: searchMsMax },
): ProductSearch {
  const sql = database.pool({ purpose: "search", connectionsMax: searchesMax, statementMsMax: o.msMax });
  const bulkhead = createBulkhead({ max: searchesMax, waitingMax: searchesWaitingMax });
  return {
    async find(filter, page, { signal, clientAddress }) {
      const party = clientAddress === undefined ? undefined : limitKeyOf(clientAddress);
      const release = await bulkhead.acquire({ signal, party }).catch((cause: unknown) => {
        throw cause instanceof BulkheadFull ? new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause }) : cause;
      });
      try {
        return await listProducts(sql, filter, page);
      } catch (cause) {
        throw isTimeout(cause) ? new CallError(errors.SEARCH_TOO_BROAD, { cause }) : cause;
      } finally {
        release();
      }
    },
  };
}

/** Postgres' query_canceled, from the statement timeout. */
function isTimeout(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "57014";
}
