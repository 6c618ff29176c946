import { AuthService } from "@rialto/contracts";
import type { RestRoute } from "../../rest/routes.ts";
import { actionFor, createLinkPage, type LinkPage, readScript } from "../link-page.ts";

const script = readScript(new URL("form.js", import.meta.url));

/**
 * The page behind the link of the mail that confirms an address. Nothing is confirmed before its button is pressed:
 * programs that look for harm in mails open their links, and some run what they find there. Throws where the contract
 * has no route for the call.
 */
export function createConfirmEmailPage(routes: readonly RestRoute[]): LinkPage {
  return createLinkPage({
    title: "Confirm your e-mail address",
    script,
    action: actionFor(AuthService.method.confirmEmail, routes),
    form: `<p>Press the button to confirm that the mail with this link reached you.</p>
<button id="confirm">Confirm the address</button>`,
  });
}
