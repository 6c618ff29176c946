import { type HtmlPage, policyOf, readPart } from "./html-page.ts";

/**
 * Makes a page that a link in an e-mail opens, and that makes one call. The link's token follows the
 * #, so that no server sees it before it is redeemed. `script` runs in the browser; `form` is the content of the form
 * that the script finds.
 */
export function createLinkPage(o: {
  readonly title: string;
  readonly script: string;
  /** The API path of the form's action. Relative, because a proxy may serve everything under a path prefix. */
  readonly action: string;
  readonly form: string;
}): HtmlPage {
  const script = `${linkForm}${o.script}`;
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
  return { html, policy: policyOf({ script, style }) };
}

const linkForm = readPart(new URL("link-form.js", import.meta.url));

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
