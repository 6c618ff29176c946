import type { DescMethod } from "@bufbuild/protobuf";
import type { AnswersWhole } from "@rialto/http";
import type { RestRoute } from "../rest/routes.ts";
import { isPlainUnary } from "./procedures.ts";

/**
 * Makes what says whether the answer to a request is a whole one: that of a unary method of Connect, that of a path
 * that begins as those of routes do, or an error in the place of either.
 */
export function createAnswersWhole(
  methods: ReadonlyMap<string, DescMethod>,
  routes: readonly RestRoute[],
): AnswersWhole {
  const beginnings: ReadonlySet<string> = new Set(routes.map(({ template }) => firstSegment(template)));
  return ({ method, path, contentType }) => {
    if (beginnings.has(firstSegment(path))) return true;
    return method === "POST" && isPlainUnary(contentType) && methods.get(path)?.methodKind === "unary";
  };
}

/** The text between the first two slashes of a path; all behind the first one where there is no other. */
function firstSegment(path: string): string {
  const end = path.indexOf("/", 1);
  return path.slice(1, end === -1 ? undefined : end);
}
