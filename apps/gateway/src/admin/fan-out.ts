import { type CallContext, CallError, callErrors, isUnavailable, type PropagatedContext, reasonOf } from "@rialto/rpc";
import { eventErrors } from "@rialto/service";

/**
 * Returns the call context to propagate to every service: the caller's deadline, cancellation, trace and address, and
 * the caller's own identity. Each service therefore applies its access policy again.
 */
export function onBehalfOf(ctx: CallContext): PropagatedContext {
  const { signal, deadline, requestId, traceparent, clientAddress, caller, userToken } = ctx;
  return {
    signal,
    requestId,
    traceparent,
    caller,
    ...(deadline && { deadline }),
    ...(clientAddress !== undefined && { clientAddress }),
    ...(userToken !== undefined && { userToken }),
  };
}

/** The responses of several services to one call. */
export interface Responses<T> {
  /** Of the services that know the subscription. */
  readonly all: readonly T[];
  /** The services that did not respond, sorted. */
  readonly unreachable: readonly string[];
  /**
   * Returns the first response. Without one it throws TEMPORARILY_UNAVAILABLE if a service did not respond, else
   * SUBSCRIPTION_NOT_FOUND.
   */
  requireOne(): T;
}

/**
 * Calls every backend at once. A backend that does not know the subscription counts as having nothing to say. Any other
 * refusal is thrown, unless another backend responded.
 */
export async function callAll<B extends { readonly service: string }, T>(
  backends: readonly B[],
  call: (backend: B) => Promise<T>,
): Promise<Responses<T>> {
  const all: T[] = [];
  const unreachable: string[] = [];
  let refused: unknown;
  await Promise.all(
    backends.map(async (backend) => {
      try {
        all.push(await call(backend));
      } catch (error) {
        const reason = reasonOf(error);
        if (isUnavailable(error)) unreachable.push(backend.service);
        // A service without an inbox does not serve dead letters.
        else if (reason !== "SUBSCRIPTION_NOT_FOUND" && reason !== "METHOD_UNKNOWN") refused = error;
      }
    }),
  );
  if (all.length === 0 && refused !== undefined) throw refusalOf(refused);
  return {
    all,
    unreachable: unreachable.sort(),
    requireOne: () => all[0] ?? notFound(unreachable),
  };
}

/** Makes a service's refusal the gateway's own, with the same reason. */
function refusalOf(error: unknown): unknown {
  const reason = reasonOf(error);
  for (const definition of [...eventErrors, ...callErrors]) {
    if (definition.reason === reason) return new CallError(definition, { cause: error });
  }
  return error;
}

/**
 * Throws TEMPORARILY_UNAVAILABLE if a service did not respond, which might know the subscription; else
 * SUBSCRIPTION_NOT_FOUND.
 */
export function notFound(unreachable: readonly string[]): never {
  throw new CallError(unreachable.length > 0 ? callErrors.TEMPORARILY_UNAVAILABLE : eventErrors.SUBSCRIPTION_NOT_FOUND);
}

/** A page of one service's list, in the list's order. */
export interface ListPage<Row> {
  readonly rows: readonly Row[];
  readonly nextPageToken: string;
}

/**
 * Merges the pages that several services returned for one page token. `compare` is the order of all of them.
 *
 * Rows may follow the last row of an unfinished page, so the merged rows end with the first such last row. What other
 * services have after it comes with the next page. A page may be short without being the last, because pages also end
 * by size.
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
