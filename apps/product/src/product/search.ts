import { BulkheadFull, createBulkhead } from "@rialto/async";
import type { Database } from "@rialto/database";
import { limitKeyOf } from "@rialto/http";
import { CallError, callErrors } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Product } from "./state.ts";
import { listProducts, type ProductFilter, type ProductPage } from "./store.ts";

/** Searches at work at once. They have connections of their own: however many there are, orders and lists do not wait for them. */
const searchesMax = 2;
const searchesWaitingMax = 50;
/** A search that reads for longer is ended: it has found no index that helps, and holds others up. */
const searchMsMax = 1_000;

/** Who waits for a search, and for how long. */
export interface SearchCaller {
  readonly signal: AbortSignal;
  /** Where the call comes from; those that come from inside are one. */
  readonly clientAddress?: string;
}

/** Looks for products by the words of a query. */
export interface ProductSearch {
  /**
   * Newest first. Addresses take turns, so that one that searches for much keeps no other waiting for long. Throws SEARCH_TOO_BROAD, and
   * TEMPORARILY_UNAVAILABLE where too many search at the moment.
   */
  find(filter: ProductFilter, page: ProductPage, caller: SearchCaller): Promise<readonly Product[]>;
}

/** Opens the search on connections of its own, which end with the database. */
export function createProductSearch(
  database: Pick<Database, "pool">,
  o: { readonly msMax: number } = { msMax: searchMsMax },
): ProductSearch {
  const sql = database.pool({ connectionsMax: searchesMax, statementMsMax: o.msMax });
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

/** Postgres' query_canceled: the statement's own time-out. */
function isTimeout(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "57014";
}
