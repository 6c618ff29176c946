import { AuthService } from "@rialto/contracts";
import type { RestRoute } from "../../rest/routes.ts";
import { actionFor, type HtmlPage, readPart } from "../html-page.ts";
import { createLinkPage } from "../link-page.ts";
import { constraintsOf } from "../openapi/rules.ts";

const script = readPart(new URL("form.js", import.meta.url));

/**
 * Makes the page on which a forgotten password is replaced. The path of its call and the rules of a password come from
 * the contract. Throws if the contract has no route for the call.
 */
export function createResetPasswordPage(routes: readonly RestRoute[]): HtmlPage {
  const method = AuthService.method.resetPassword;
  const { minLength, maxLength } = constraintsOf(method.input.field.newPassword).schema;
  return createLinkPage({
    title: "Set a new password",
    script,
    action: actionFor(method, routes),
    form: `<label for="password">New password</label>
<input id="password" type="password" autocomplete="new-password" autocapitalize="none" spellcheck="false" required aria-describedby="rule problem">
<small id="rule">At least ${minLength} characters, at most ${maxLength}.</small>
<label class="choice"><input id="shown" type="checkbox"> Show the password</label>
<button>Set the password</button>`,
  });
}
