import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DescMethod } from "@bufbuild/protobuf";
import type { RestRoute } from "../rest/routes.ts";

/** A page behind the link of a mail. */
export interface LinkPage {
  readonly html: string;
  /**
   * The page's own style and script, calls to where it came from, and nothing else: not framed, and no form that a
   * browser sends by itself.
   */
  readonly policy: string;
}

/**
 * Makes a page of its parts: complete as it stands, but for one call of the API it was loaded from. The token of the
 * link stays behind the #, so that no server gets to see it before it is spent. `script` runs in the browser; `form` is
 * what stands in the form that it finds there.
 */
export function createLinkPage(o: {
  readonly title: string;
  readonly script: string;
  /**
   * The path of the API that the form's action names. It is relative: behind a proxy all of this may stand in a folder.
   */
  readonly action: string;
  readonly form: string;
}): LinkPage {
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(o.script)}'`,
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
</main><script>${o.script}</script></body></html>
`;
  return { html, policy: policy.join("; ") };
}

/**
 * A script that runs in the browser: a file of its own, which is checked as what it is. With the line ends that a
 * browser sees, and hashes.
 */
export function readScript(file: URL): string {
  return readFileSync(file, "utf8").replaceAll("\r\n", "\n");
}

/** Where the contract has a method in the API. Throws where it has no route for the page that calls it. */
export function actionFor(method: DescMethod, routes: readonly RestRoute[]): string {
  const route = routes.find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`${method.name} has no REST route for the page that calls it`);
  return route.template.replace(/^\//, "");
}

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
