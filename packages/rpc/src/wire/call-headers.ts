import type { IncomingHttpHeaders } from "node:http";

/** The headers of a call, read by their lower-case names; null where there is none. A web `Headers` is one. */
export interface CallHeaders {
  get(name: string): string | null;
}

/** Reads the headers of a request where Node's server put them, without a copy. */
export function nodeHeaders(headers: IncomingHttpHeaders): CallHeaders {
  return {
    get(name) {
      const value = headers[name];
      if (value === undefined) return null;
      return typeof value === "string" ? value : value.join(", ");
    },
  };
}
