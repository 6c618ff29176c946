import { callErrors } from "@rialto/rpc";
import { type Refused, refused } from "../errors/refused.ts";
import type { RouteMatch } from "./routes.ts";

/** The refusal of a request for a path that takes other methods of HTTP. */
export function wrongMethod(methods: readonly string[]): Refused {
  const allow = methods.join(", ");
  const message = `This path takes ${allow}.`;
  return refused(callErrors.METHOD_UNKNOWN, { message, httpStatus: 405, headers: { allow } });
}

/** The refusal of a request that no route takes. What is read with GET is read with HEAD too. */
export function unrouted(match: Exclude<RouteMatch, { readonly kind: "found" }>): Refused {
  switch (match.kind) {
    case "malformed":
      return refused(callErrors.INVALID_REQUEST, { message: "The path is not well encoded." });
    case "wrong-method":
      return wrongMethod(match.allow.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])));
    case "unknown":
      return refused({ ...callErrors.METHOD_UNKNOWN, code: "not_found", message: "There is nothing at this path." });
  }
}
