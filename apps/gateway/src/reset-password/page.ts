import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { AuthService } from "@rialto/contracts";
import { constraintsOf } from "../openapi/rules.ts";
import type { RestRoute } from "../routes.ts";

/** What runs in the browser: a file of its own, which is checked as what it is. With the line ends that a browser sees, and hashes. */
const script = readFileSync(new URL("form.js", import.meta.url), "utf8").replaceAll("\r\n", "\n");

/**
 * The page behind the link of the mail that sets a new password: complete as it stands, but for one call of the API it was loaded from.
 * The token stays behind the #, so that no server gets to see it before it is spent. Where the call goes and what a password must be
 * is taken from the contract; throws where that has no route for it.
 */
export function createResetPasswordPage(routes: readonly RestRoute[]): {
  readonly html: string;
  /** The page's own style and script, calls to where it came from, and nothing else: not framed, and no form that a browser sends by itself. */
  readonly policy: string;
} {
  const method = AuthService.method.resetPassword;
  const route = routes.find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`${method.name} has no REST route for the page that calls it`);
  const { minLength, maxLength } = constraintsOf(method.input.field.newPassword).schema;
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  // The path is relative: behind a proxy all of this may stand in a folder.
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>Set a new password</title><style>${style}</style></head><body>
<main><h1>Set a new password</h1>
<noscript><p>This page needs JavaScript, which is turned off in your browser.</p></noscript>
<form id="form" action="${route.template.replace(/^\//, "")}" hidden>
<label for="password">New password</label>
<input id="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="rule problem">
<small id="rule">At least ${minLength} characters, at most ${maxLength}.</small>
<label class="choice"><input id="shown" type="checkbox"> Show the password</label>
<button>Set the password</button>
</form>
<p id="problem" role="alert" tabindex="-1"></p>
<p id="status" role="status" tabindex="-1"></p>
</main><script>${script}</script></body></html>
`;
  return { html, policy: policy.join("; ") };
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
