import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DescMethod } from "@bufbuild/protobuf";
import type { RestRoute } from "../rest/routes.ts";

/** A page that a link in an e-mail opens. */
export interface LinkPage {
  readonly html: string;
  /**
   * The Content-Security-Policy: the page's own style and script, and calls to its own origin. It cannot be framed, and
   * its form cannot be submitted without the script.
   */
  readonly policy: string;
}

/**
 * Makes a page that is complete in itself, except for one call to the API that served it. The link's token follows the
 * #, so that no server sees it before it is redeemed. `script` runs in the browser; `form` is the content of the form
 * that the script finds.
 */
export function createLinkPage(o: {
  readonly title: string;
  readonly script: string;
  /** The API path of the form's action. Relative, because a proxy may serve everything under a path prefix. */
  readonly action: string;
  readonly form: string;
}): LinkPage {
  const script = `${linkForm}${o.script}`;
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>${o.title}</title><style>${style}</style></head><body>
<main><h1>${o.title}</h1>
<noscript><p>This page needs JavaScript, which is turned off in your browser.</p></noscript>
<form id="form" action="${o.action}" hidden>
${o.form}
</form>
<p id="problem" role="alert" tabindex="-1"></p>
<p id="status" role="status" tabindex="-1"></p>
</main><script>${script}</script></body></html>
`;
  return { html, policy: policy.join("; ") };
}

/**
 * Reads a script that runs in the browser. It is a file of its own, so that it is type-checked for the browser. Line
 * ends are normalized as a browser does before it hashes.
 */
export function readScript(file: URL): string {
  return readFileSync(file, "utf8").replaceAll("\r\n", "\n");
}

/** Returns the API path of a method. Throws if it has no REST route. */
export function actionFor(method: DescMethod, routes: readonly RestRoute[]): string {
  const route = routes.find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`${method.name} has no REST route for the page that calls it`);
  return route.template.replace(/^\//, "");
}

const linkForm = readScript(new URL("link-form.js", import.meta.url));

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 26rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; }
form { display: grid; gap: .5rem; }
form[hidden] { display: none; }
input, button { font: inherit; }
input[type=password], input[type=text] { padding: .5rem; border: 1px solid GrayText; border-radius: .25rem; }
input[aria-invalid] { border-color: light-dark(#b00020, #ff8a80); }
button { margin-top: .5rem; padding: .5rem 1rem; justify-self: start; cursor: pointer; }
small { opacity: .8; }
.choice { justify-self: start; }
#problem { color: light-dark(#b00020, #ff8a80); }
#problem:empty, #status:empty { margin: 0; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
`;
