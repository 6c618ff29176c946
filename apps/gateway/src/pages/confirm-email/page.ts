import { AuthService } from "@rialto/contracts";
import type { RestRoute } from "../../rest/routes.ts";
import { actionFor, type HtmlPage, readPart } from "../html-page.ts";
import { createLinkPage } from "../link-page.ts";

const script = readPart(new URL("form.js", import.meta.url));

/**
 * Makes the page that confirms an e-mail address. It needs a click on its button, because mail scanners open links, and
 * some run the scripts of the page. Throws if the contract has no route for the call.
 */
export function createConfirmEmailPage(routes: readonly RestRoute[]): HtmlPage {
  return createLinkPage({
    title: "Confirm your e-mail address",
    script,
    action: actionFor(AuthService.method.confirmEmail, routes),
    form: `<p>Press the button to confirm that you received the e-mail with this link.</p>
<button id="confirm">Confirm the address</button>`,
  });
}
