import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DescMethod } from "@bufbuild/protobuf";
import type { RestRoute } from "../rest/routes.ts";

/** A page that is complete in itself, except for the calls to the API that served it. */
export interface HtmlPage {
  readonly html: string;
  /** The Content-Security-Policy: the page's own style and script, and calls to its own origin. */
  readonly policy: string;
}

/**
 * Reads a script or a style sheet of a page. It is a file of its own, so that it is checked for the browser. Line ends
 * are normalized as a browser does before it hashes.
 */
export function readPart(file: URL): string {
  return readFileSync(file, "utf8").replaceAll("\r\n", "\n");
}

/**
 * Returns the policy of a page that runs this script, has this style, and calls where it came from. It cannot be
 * framed, and its forms cannot be submitted without the script.
 */
export function policyOf({ script, style }: { readonly script: string; readonly style: string }): string {
  return [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/**
 * Returns the API path of a method, relative, because a proxy may serve everything under a path prefix. Throws if it
 * has no REST route.
 */
export function actionFor(method: DescMethod, routes: readonly RestRoute[]): string {
  const route = routes.find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`${method.name} has no REST route for the page that calls it`);
  return route.template.replace(/^\//, "");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
